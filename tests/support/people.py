"""What people get out of a page in the browser, and who is kept out."""

from typing import Any

from support.browser import Tab
from support.eventually import eventually

HOSTILE = ("<script>alert(1)</script>", "a" * 63, "\u202egnp.exe", "שלום", '"><img src=x onerror=alert(1)>')


def told(tab: Tab, number: str = "") -> str:
    """What the page tells below a map, of which there may be several."""
    return str(tab.tell(f"document.getElementById('told{number}').textContent"))


def until_told(tab: Tab, words: str, number: str = "") -> None:
    """Waits until the page tells that of what is under the cursor."""
    eventually(lambda: words in told(tab, number), interval=0.05, what=words)


def serious(tab: Tab, axe: str) -> list[str]:
    """What axe-core finds that keeps somebody out."""
    tab.tell(axe + "; 1")
    found: list[Any] = tab.tell("axe.run().then((result) => result.violations)")
    return [
        f"{each['id']}: {', '.join(str(part['target']) for part in each['nodes'][:3])}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]

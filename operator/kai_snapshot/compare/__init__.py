"""How versions differ: what they decide, apart from what only varies between runs; what they take, apart from noise."""

from kai_snapshot.compare.backtest import Backtest
from kai_snapshot.compare.brief import brief
from kai_snapshot.compare.document import compare
from kai_snapshot.compare.findings import Findings, findings

__all__ = ["Backtest", "Findings", "brief", "compare", "findings"]

"""The built-in engine: what KAI v0.17.0 decides in one scheduling cycle, computed from an archive without any image.

Its rules are those of the project's description of a cycle, in own words and code; `docs/simulator.md` says how far it
agrees with the tool. Pure: archive, time and seed in, a `ReplayResult` out.
"""

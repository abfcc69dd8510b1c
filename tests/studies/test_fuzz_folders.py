"""The fuzzer of plans and folders, briefly: damaged ones end in clean errors."""

from __future__ import annotations

from pathlib import Path

from scripts import fuzz_folders


def test_damaged_plans_and_results(tmp_path: Path) -> None:
    outcomes = fuzz_folders.campaign(200, 5, None, tmp_path)
    assert sum(outcomes.values()) == 200
    # Both ways out have to be taken, or the fuzzer tries nothing.
    assert all(outcomes[name, what] for name in ("plan", "results") for what in ("read", "refused"))

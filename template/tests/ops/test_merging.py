"""The quick sums say what the library's collector says, sample for sample, and stay right as files grow."""

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from . import ops


def write(
    folder: Path, file: str, metric: str, name: str, labels: dict[str, str], value: float, text: str = "Help."
) -> None:
    opened: Any = MmapedDict
    values = opened(str(folder / file))
    values.write_value(mmap_key(metric, name, list(labels), list(labels.values()), text), value, 0.0)
    values.close()


def fill(folder: Path, workers: int, times: int = 1) -> None:
    """Metrics of several workers, in another order in each, with all that may stand in a label or a help text."""
    odd = 'a "quoted" \\ back\nline {brace} æ'
    for worker in range(workers):
        for path in (*("/b", "/a", odd)[worker % 3 :], "/c"):
            for limit in ("0.5", "+Inf", "0.05", "1.0", "10.0"):
                labels = {"http_route": path, "le": limit}
                write(folder, f"histogram_{worker}.db", "seconds", "seconds_bucket", labels, times * (worker + 1), odd)
            write(folder, f"histogram_{worker}.db", "seconds", "seconds_sum", {"http_route": path}, times * 0.1, odd)
        write(folder, f"counter_{worker}.db", "jobs", "jobs_total", {}, times * 3)
        write(folder, f"counter_{worker}.db", "jobs_by_kind", "jobs_by_kind_total", {"z": "1", "a": "2"}, 1e20)
        write(folder, f"summary_{worker}.db", "size", "size_count", {}, times)
        write(folder, f"summary_{worker}.db", "size", "size_sum", {}, times * 1.5)


def theirs(folder: Path, openmetrics: bool) -> list[str]:
    registry = CollectorRegistry()
    collector: Any = MultiProcessCollector
    collector(registry, path=str(folder))
    text = (generate_openmetrics if openmetrics else generate_latest)(registry).decode()
    return sorted(line for line in text.split("\n") if line not in ("", "# EOF"))


def ours(merged: object, openmetrics: bool) -> list[str]:
    text = merged.text(openmetrics=openmetrics)  # type: ignore[attr-defined]
    return sorted(line for line in text.split("\n") if line)


@pytest.mark.parametrize("openmetrics", [False, True])
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_text_is_the_librarys(tmp_path: Path, workers: int, openmetrics: bool) -> None:
    fill(tmp_path, workers)

    assert ours(ops.merging.Merged(tmp_path), openmetrics) == theirs(tmp_path, openmetrics)


def test_the_text_stays_the_librarys_as_values_and_files_grow(tmp_path: Path) -> None:
    merged = ops.merging.Merged(tmp_path)
    for workers, times in ((1, 1), (2, 5), (6, 7)):
        fill(tmp_path, workers, times)

        assert ours(merged, openmetrics=False) == theirs(tmp_path, openmetrics=False)


def test_a_file_that_grows_beyond_its_first_size_is_read_to_its_end(tmp_path: Path) -> None:
    merged = ops.merging.Merged(tmp_path)
    for number in range(300):
        write(tmp_path, "counter_0.db", "jobs", "jobs_total", {"number": str(number), "text": "x" * 500}, number)
        if number in (0, 140):  # before it grows, and after it has grown once
            merged.text(openmetrics=False)

    assert (tmp_path / "counter_0.db").stat().st_size > 2**16
    assert ours(merged, openmetrics=False) == theirs(tmp_path, openmetrics=False)


def test_names_that_need_quoting_are_left_to_the_library(tmp_path: Path) -> None:
    write(tmp_path, "counter_0.db", "jobs.done", "jobs.done_total", {}, 1)

    assert ops.merging.Merged(tmp_path).text(openmetrics=False) is None


def test_gauges_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "gauge_livesum_0.db", "active", "active", {}, 1)

    assert ops.merging.Merged(tmp_path).text(openmetrics=False) == ""


def test_the_layout_that_is_read_here_is_the_librarys(tmp_path: Path) -> None:
    write(tmp_path, "counter_0.db", "jobs", "jobs_total", {"a": "b"}, 2.5)
    data = (tmp_path / "counter_0.db").read_bytes()
    length = int.from_bytes(data[8:12], "little")

    assert json.loads(data[12 : 12 + length]) == ["jobs", "jobs_total", {"a": "b"}, "Help."]

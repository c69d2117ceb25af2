from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
TOLD = {
    "01-look-at-load": ("synthetic checkout: 1.0 days", "the recording is too short"),
    "02-replay-and-choose-risk": (
        "clairvoyant: slow",
        "In 1d no rhythm could be learned: a week or two would tell more.",
        "mode: ForecastOnly",
    ),
}


def read(path):
    return nbformat.read(path, as_version=4)


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["01-look-at-load", "02-replay-and-choose-risk"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path):
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]

    assert cells
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


# The kernel is another process over ZeroMQ, whose own warnings are not ours to mend.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path, monkeypatch):
    monkeypatch.setenv("DAYS", "1")
    monkeypatch.delenv("TRACE", raising=False)
    notebook = read(path)

    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(FOLDER)}}).execute()

    printed = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert printed
    assert all(
        output.output_type != "error" and output.get("name") != "stderr" for output in printed
    )
    told = "".join(output.get("text", "") for output in printed)
    assert all(words in told for words in TOLD[path.stem])

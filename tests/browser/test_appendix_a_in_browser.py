"""Appendix A's explorer under a reader's hands."""

import nbformat

# The cells that make the audit, by what they begin with or define.
WORDS = [
    "import helpers", "def read", "v2 = ", "def show", "FAMILIES", "CONTENTS = ", "def conventions", "fits = {",
    "rule = ", "def judge",
]  # fmt: skip


def test_audit_explorer(open_lesson, monkeypatch):
    read = nbformat.read

    def in_one_cell(path, as_version):
        # JupyterLab draws only the cells in view, and every cell is waited for: so one cell; ten rows, to be quick.
        notebook = read(path, as_version)
        code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        text = "\n\n".join(source for source in code if any(word in source for word in [*WORDS, "explorer = "]))
        assert text.count('results.csv")') == 1
        notebook.cells = [nbformat.v4.new_code_cell(text.replace('results.csv")', 'results.csv")[18:28]'))]
        return notebook

    monkeypatch.setattr(nbformat, "read", in_one_cell)
    widget = open_lesson("appendix_a", cells=["import helpers"]).widget()
    widget.changed(lambda: widget.choose("family", "mobilenet_v2"))
    widget.changed(lambda: widget.choose("verdict", "open"))
    assert "585" in widget.state()[1] and "Rows: 1." in widget.state()[1]
    widget.screenshot("audit")

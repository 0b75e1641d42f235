"""Tables in Markdown, whatever their cells hold."""

from tpt import markdown


def test_a_table_has_a_line_for_each_row_and_no_cell_ends_another() -> None:
    rows = [{"what": "a|b", "how `much`": "1"}, {"what": "*c*", "how `much`": "2"}]
    assert markdown.table(rows) == "| what | how `much` |\n| --- | --- |\n| a\\|b | 1 |\n| *c* | 2 |\n"


def test_what_a_model_wrote_means_nothing_to_markdown() -> None:
    row = {"text": r"<b>$x_1$ | \frac ~`*"}
    assert markdown.table([row], escape=markdown.plain).splitlines()[2] == r"| \<b\>\$x\_1\$ \| \\frac \~\`\* |"


def test_numbers_are_aligned_to_the_right() -> None:
    assert markdown.table([{"n": "1", "m": "2"}], numbers=True).splitlines()[1] == "| ---: | ---: |"

import pytest
from gateway.web.marking import marked


@pytest.mark.parametrize(
    ("safe", "highlight", "shown"),
    [
        ("<p>Green tea</p>", "Green <em>tea</em>", "<p>Green <mark>tea</mark></p>"),
        ("<p>team tea</p>", "team <em>tea</em>", "<p>team <mark>tea</mark></p>"),
        (
            '<a href="https://tea.example/tea" rel="nofollow">tea</a>',
            "<em>tea</em>",
            '<a href="https://tea.example/tea" rel="nofollow"><mark>tea</mark></a>',
        ),
        ('<a title="a > tea">x</a>', "<em>tea</em>", '<a title="a > tea">x</a>'),
        ("<p>R&amp;D amp</p>", "R&amp;D <em>amp</em>", "<p>R&amp;D <mark>amp</mark></p>"),
        ("<p>&lt;script&gt;</p>", "&lt;<em>script</em>&gt;", "<p>&lt;<mark>script</mark>&gt;</p>"),
        ("<p>東京タワー</p>", "<em>東</em><em>京</em>タワー", "<p><mark>東京</mark>タワー</p>"),
        ("<p>don't</p>", "<em>don&#x27;t</em>", "<p><mark>don't</mark></p>"),
        ("<p>p</p>", "<em>p</em>", "<p><mark>p</mark></p>"),
        ("<p>tea</p>", "", "<p>tea</p>"),
    ],
)
def test_what_was_found_is_marked_in_words_and_nowhere_else(safe: str, highlight: str, shown: str) -> None:
    assert marked(safe, highlight) == shown

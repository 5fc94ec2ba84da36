"""Pages by id: what may be asked for, and the links that lead on."""

import re

import pytest
from common.ids import MAX_ID
from common.paging import BadPage, Page, link_header, read_page
from fastapi import Request
from starlette.datastructures import QueryParams

URL = "https://microblog.example"


def asked(query: str, path: str = "/api/v1/timelines/home") -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": [],
            "server": ("posts", 80),
            "scheme": "http",
        }
    )


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("", Page(20)),
        ("limit=", Page(20)),
        ("limit=0", Page(20)),
        ("limit=5&max_id=9", Page(5, max_id=9)),
        ("limit=9999", Page(40)),
        ("since_id=3&min_id=4", Page(20, since_id=3, min_id=4)),
        (f"max_id={MAX_ID + 1}", Page(20, max_id=MAX_ID)),
        ("max_id=" + "9" * 5000, Page(20, max_id=MAX_ID)),
    ],
)
def test_what_is_asked_for_is_read_and_cut_to_what_is_allowed(query: str, page: Page) -> None:
    assert read_page(asked(query)) == page


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "1e3", "%D9%A1", "%20", "0x1", "1%00", "%2B1"])
@pytest.mark.parametrize("name", ["limit", "max_id", "since_id", "min_id"])
def test_what_is_no_number_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(BadPage, match=name):
        read_page(asked(f"{name}={value}"))


def test_bounds_are_exclusive_and_open_where_nothing_was_said() -> None:
    assert (Page(20).above, Page(20).below, Page(20).upwards) == (0, MAX_ID, False)
    assert (Page(20, since_id=3).above, Page(20, since_id=3).upwards) == (3, False)
    assert (Page(20, max_id=9, since_id=3, min_id=4).above, Page(20, min_id=4).upwards) == (4, True)


def test_links_lead_below_the_oldest_and_above_the_newest() -> None:
    header = link_header(asked("limit=2&max_id=50&tag=a%26b"), URL, [40, 30], full=True)["Link"]
    path = f"{URL}/api/v1/timelines/home?limit=2&tag=a%26b"
    assert header == f'<{path}&max_id=30>; rel="next", <{path}&min_id=40>; rel="prev"'


def test_the_last_page_leads_nowhere_further_and_an_empty_one_nowhere() -> None:
    assert 'rel="next"' not in link_header(asked(""), URL, [1], full=False)["Link"]
    assert 'rel="prev"' in link_header(asked(""), URL, [1], full=False)["Link"]
    assert link_header(asked(""), URL, [], full=False) == {}


@pytest.mark.parametrize("hostile", ["a>; rel=x", 'a"b', "a\r\nSet-Cookie: x", "a,<b>"])
def test_nothing_from_the_request_breaks_out_of_the_header(hostile: str) -> None:
    query = str(QueryParams({"q": hostile, hostile: "1"}))
    header = link_header(asked(query, f"/tags/{hostile}"), URL, [2, 1], full=True)["Link"]
    assert re.fullmatch(r'<[^<>"\r\n,]+>; rel="next", <[^<>"\r\n,]+>; rel="prev"', header)

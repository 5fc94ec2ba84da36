"""Writing: what is counted, kept, refused, pasted and deleted."""

import base64
from collections.abc import Callable

import pytest
from chromium import NEEDED, Browser
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from stack import Stack, picture, wait_for

pytestmark = NEEDED
FILES = """
    const data = new DataTransfer();
    const bytes = Uint8Array.from(atob(arguments[2]), (c) => c.charCodeAt(0));
    data.items.add(new File([bytes], "a.jpg", { type: "image/jpeg" }));
    const more = { bubbles: true, cancelable: true, clipboardData: data, dataTransfer: data };
    const event = arguments[1] === "paste" ? new ClipboardEvent("paste", more) : new DragEvent(arguments[1], more);
    return !arguments[0].dispatchEvent(event);
"""


def test_what_is_left_to_write_is_counted_and_a_warning_unfolds(stack: Stack, browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.log_in(stack.new_person())
    browser.open("/write")
    browser.run("arguments[0].value = 'x'.repeat(4958)", browser.find("#status"))
    assert browser.find("#left").text == ""
    browser.find("#status").send_keys("yz")
    assert browser.find("#left").text == "40"
    browser.find("#status").send_keys(f" https://example.com/{'z' * 60}")
    assert browser.find("#left").text == "16"
    browser.find("#status").send_keys(" and far too much")
    assert browser.find("#left.over").text == "−1"
    assert not browser.find("#spoiler_text").is_displayed()
    browser.click("details.fold summary")
    browser.find("#spoiler_text").send_keys("boats")
    assert browser.find("#left.over").text == "−6"
    browser.look("counted")


@pytest.mark.parametrize(("width", "look"), [(1280, "light"), (390, "dark")])
def test_a_form_that_comes_back_says_first_what_is_wrong_and_leads_there(
    stack: Stack, browse: Callable[..., Browser], width: int, look: str
) -> None:
    browser = browse(width, look)
    browser.open("/register")
    browser.fill(username="", email="nowhere", password="x")
    browser.submit("main form button")
    assert browser.run("return document.activeElement.matches('.wrong[role=alert]')")
    assert [link.get_attribute("hash") for link in browser.all(".wrong a")] == ["#username", "#password", "#agreement"]
    browser.driver.get_log("browser")  # type: ignore[no-untyped-call]  # a 422 is told there, too
    browser.look(f"summary-{width}-{look}")
    browser.find(".wrong a[href='#password']").send_keys(Keys.ENTER)
    assert browser.run("return document.activeElement.id") == "password"
    browser.log_in(stack.new_person())
    browser.open("/write")
    browser.submit(".composer .btn-primary")
    assert "Text can" in browser.driver.switch_to.active_element.text
    browser.driver.get_log("browser")  # type: ignore[no-untyped-call]
    browser.look(f"summary-composer-{width}-{look}")
    browser.find(".wrong a").send_keys(Keys.ENTER)
    assert browser.run("return document.activeElement.id") == "status"


@pytest.mark.parametrize(("width", "look"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_a_draft_waits_until_it_is_sent_or_discarded(stack: Stack, browse: Callable[..., Browser], width: int, look: str) -> None:
    person, author = stack.new_person("writer"), stack.new_person("author")
    status = author.write("what do you think?")
    browser = browse(width, look)
    browser.log_in(person)

    def drafts() -> list[str]:
        return sorted(browser.run("return Object.keys(localStorage)"))

    def written() -> str:
        return str(browser.find("#status").get_attribute("value"))

    new, reply = f"draft:{person.id}:new", f"draft:{person.id}:{status['id']}"
    browser.open("/write")
    assert not browser.find(".draft").is_displayed()
    browser.find("#status").send_keys("half a thought")
    Select(browser.find("#visibility")).select_by_value("private")
    assert drafts() == []
    wait_for(lambda: "Draft kept at" in browser.find(".draft").text, "the draft to be kept")
    assert drafts() == [new]
    browser.look(f"draft-kept-{width}-{look}")
    browser.open(f"/@{author.name}/{status['id']}")
    assert written() == f"@{author.name} "
    browser.find("#status").send_keys("a lot")
    wait_for(lambda: drafts() == [reply, new] or drafts() == [new, reply], "the second draft")

    browser.open("/write")
    assert written() == "half a thought"
    assert "Your draft of" in browser.find(".draft").text
    assert Select(browser.find("#visibility")).first_selected_option.get_attribute("value") == "private"
    browser.look(f"draft-back-{width}-{look}")
    browser.find("#status").send_keys(Keys.CONTROL, Keys.ENTER)
    wait_for(lambda: browser.path == "/", "what follows the post")
    assert person.get(f"/api/v1/accounts/{person.id}/statuses")[0]["visibility"] == "private"
    assert drafts() == [reply]

    browser.open(f"/@{author.name}/{status['id']}")
    assert written() == f"@{author.name} a lot"
    browser.click(".draft button")
    assert written() == f"@{author.name} "
    assert drafts() == []
    assert not browser.find(".draft").is_displayed()

    # What is refused isn't lost, either; but nothing is left to who comes next.
    browser.open("/write")
    browser.run("arguments[0].value = 'x'.repeat(5000)", browser.find("#status"))
    browser.find("#status").send_keys("y", Keys.CONTROL, Keys.ENTER)
    browser.waited(".wrong")
    assert drafts() == [new]
    browser.open("/write")
    assert written() == "x" * 5000 + "y"
    browser.find("#status").send_keys("z")
    browser.submit("footer form[action='/logout'] button")
    browser.log_in(author)
    browser.open("/write")
    assert written() == ""
    assert drafts() == []


def test_pictures_are_pasted_and_dropped(stack: Stack, browse: Callable[..., Browser]) -> None:
    person = stack.new_person()
    browser = browse()
    browser.log_in(person)
    browser.open("/write")
    for kind, colour in (("paste", "teal"), ("drop", "orange")):
        sent = base64.b64encode(picture(colour)).decode()
        assert browser.run(FILES, browser.find("#status"), kind, sent), "the browser would have done something else with it"
    wait_for(lambda: len(browser.all(".describe textarea")) == 2, "both pictures")
    for place, area in enumerate(browser.all(".describe textarea")):
        area.send_keys(f"picture {place}")
    browser.look("pasted")
    browser.find("#status").send_keys("two pictures", Keys.CONTROL, Keys.ENTER)
    wait_for(lambda: browser.path == "/", "what follows the post")
    media = person.get(f"/api/v1/accounts/{person.id}/statuses")[0]["media_attachments"]
    assert [one["description"] for one in media] == ["picture 0", "picture 1"]


@pytest.mark.parametrize(("width", "look"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_deleting_asks_in_a_dialog_and_keeping_is_the_first_answer(
    stack: Stack, browse: Callable[..., Browser], width: int, look: str
) -> None:
    person = stack.new_person("writer")
    image = person.client.post("/api/v2/media", files={"file": ("a.jpg", picture("orange"), "image/jpeg")}, data={"description": "orange"})
    status = person.write("not my best", media_ids=[image.json()["id"]])
    path = f"/@{person.name}/{status['id']}"
    browser = browse(width, look)
    browser.log_in(person)
    browser.open(path)
    browser.run("window.stayed = true")

    def ask() -> None:
        browser.click("article.focus .menu summary")
        browser.click("article.focus .dropdown-item.danger")
        browser.waited("dialog[open]:not(#key-map)")

    ask()
    assert browser.find("dialog[open] h1").text == "Delete this post?"
    assert browser.find("dialog[open] .post-text").text == "not my best"
    assert browser.driver.switch_to.active_element.text == "Keep it"
    browser.look(f"delete-{width}-{look}")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert not browser.all("dialog[open]")
    assert browser.run("return document.activeElement.matches('article.focus .menu summary')")
    ask()
    browser.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait_for(lambda: not browser.all("dialog[open]"), "the dialog to close")
    assert browser.run("return window.stayed") is True
    assert browser.path == path
    assert person.get(f"/api/v1/statuses/{status['id']}")["content"]
    ask()
    browser.submit("dialog[open] .btn-danger")
    assert "The post is gone." in browser.text
    assert person.client.get(f"/api/v1/statuses/{status['id']}").status_code == 404

    made = person.client.post("/api/v1/lists", json={"title": "Neighbours"}).json()
    browser.open(f"/lists/{made['id']}/edit")
    browser.click("a[data-ask]")
    assert browser.waited("dialog[open] h1").text == "Delete this list?"
    browser.submit("dialog[open] .btn-danger")
    assert browser.path == "/lists"
    assert person.get("/api/v1/lists") == []

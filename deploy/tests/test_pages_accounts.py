"""Accounts on the pages: register, log in, profile, settings, languages."""

import re
import secrets

import httpx
import pytest
from pages import PASSWORD, Browse, note, upload, words
from stack import Stack, picture, wait_for


def test_somebody_registers_confirms_and_begins(stack: Stack, browse: Browse) -> None:
    name, browser = f"fresh_{secrets.token_hex(3)}", browse()
    sent = {"username": name, "email": f"{name}@people.example", "password": PASSWORD, "agreement": "y"}
    assert stack.submit(browser, "/register", **sent).status_code == 303
    assert "We sent you a mail with a link" in words(browser.get("/"))
    stack.confirm(name)
    home = browser.get("/")
    assert f"@{name}" in home.text
    assert "What would you like to say?" in words(home)


def test_what_is_wrong_with_a_registration_stands_beside_its_field(stack: Stack, browse: Browse) -> None:
    taken = stack.new_person("taken")
    answer = stack.submit(browse(), "/register", username=taken.name, email="a@people.example", password=PASSWORD, agreement="y")
    assert answer.status_code == 422
    assert re.search(rf'name="username"[^>]*value="{taken.name}"', answer.text)
    assert "has already been taken" in answer.text
    assert PASSWORD not in answer.text


def test_who_must_log_in_first_comes_back_to_where_they_wanted_to_be(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    with stack.browser() as browser:
        sent_away = browser.get("/notifications?max_id=5")
        assert sent_away.status_code == 303
        answer = stack.submit(browser, sent_away.headers["location"], "/login", identifier=person.name, password=PASSWORD)
        assert answer.headers["location"] == "/notifications?max_id=5"


def test_settings_of_mail_password_and_devices_are_kept(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    browser, other = browse(person), browse(person)
    assert note(stack, browser, stack.submit(browser, "/settings", "/settings/mail", comment="y")) == "Your choice is kept."
    assert person.get("/api/v1/microblog/mail_preferences") == {"follow": False, "comment": True, "announcement": False}
    wrong = stack.submit(browser, "/settings", "/settings/password", current="not this one", new="an entirely new one")
    assert wrong.status_code == 422
    right = stack.submit(browser, "/settings", "/settings/password", current=PASSWORD, new="an entirely new one")
    assert "Your new password is set" in note(stack, browser, right)
    wait_for(lambda: other.get("/settings").status_code == 303, "the other device to be logged out")
    assert browser.get("/settings").status_code == 200
    with stack.browser() as third:
        assert stack.submit(third, "/login", "/login", identifier=person.name, password="an entirely new one").status_code == 303
        assert stack.submit(browser, "/settings", "/settings/devices").status_code == 303
        wait_for(lambda: third.get("/settings").status_code == 303, "the device to be logged out")


@pytest.mark.parametrize(("language", "said"), [("en", "Log in"), ("de", "Anmelden"), ("es", "Entrar")])
def test_pages_speak_the_language_that_is_chosen_or_accepted(stack: Stack, browse: Browse, language: str, said: str) -> None:
    accepting = browse(**{"Accept-Language": f"{language}-AT,fr;q=0.5"}).get("/login")
    assert f'<html lang="{language}" ' in accepting.text
    choosing = browse(**{"Accept-Language": "fr"})
    assert stack.submit(choosing, "/login", "/language", language=language).headers["location"] == "/login"
    chosen = choosing.get("/login")
    assert f'<html lang="{language}" ' in chosen.text
    assert f"<h1>{said}</h1>" in chosen.text


def test_a_chosen_language_follows_the_person_to_other_devices_and_into_mails(stack: Stack, browse: Browse) -> None:
    person, fan = stack.new_person(), stack.new_person("fan")
    assert stack.submit(browse(person), "/", "/language", language="de").status_code == 303
    wait_for(lambda: '<html lang="de" ' in browse(person).get("/").text, "German on another device")
    fan.follow(person)
    mails = wait_for(
        lambda: [m.subject for m in stack.mails_to(f"{person.name}@people.example") if fan.name in m.subject] or None, "the mail"
    )
    assert "folgt dir" in mails[0]


def test_a_profile_is_changed_with_pictures_and_fields(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    browser = browse(person)
    sent = {"display_name": "Somebody Else", "note": "I **write**", "discoverable": "y", "field-name-0": "Town", "field-value-0": "Lisbon"}
    answer = upload(stack, browser, "/settings/profile", None, {"avatar": picture("red"), "header": picture("blue")}, **sent)
    assert note(stack, browser, answer) == "Your profile is changed."
    page = browser.get(f"/@{person.name}")
    assert "Somebody Else" in words(page)
    assert "I <strong>write</strong>" in page.text
    assert "Town Lisbon" in words(page)
    account = person.get("/api/v1/accounts/verify_credentials")
    assert (account["discoverable"], account["locked"], account["bot"]) == (True, False, False)
    assert account["avatar"] in page.text
    for kind in ("avatar", "header"):
        assert account[kind] != person.account[kind]
        assert httpx.get(account[kind]).headers["content-type"].startswith("image/")
    form = browser.get("/settings/profile").text
    assert 'value="Somebody Else"' in form
    assert 'value="Lisbon"' in form
    bad = upload(stack, browser, "/settings/profile", None, {"avatar": b"not a picture"}, **sent)
    assert bad.status_code == 422
    assert 'value="Somebody Else"' in bad.text


def test_switches_and_descriptions_of_a_profile_are_changed_on_its_page(stack: Stack, browse: Browse) -> None:
    person, fan = stack.new_person("owner"), stack.new_person("fan")
    fan.follow(person)
    browser = browse(person)
    fields = {"display_name": "Somebody", "avatar_description": "a kite", "hide_collections": "y", "bot": "y"}
    assert upload(stack, browser, "/settings/profile", None, {"avatar": picture("red")}, **fields).status_code == 303
    mine = person.get("/api/v1/accounts/verify_credentials")
    switches = ("hide_collections", "bot", "locked", "discoverable", "indexable")
    assert [mine[name] for name in switches] == [True, True, False, False, False]
    profile = browse().get(f"/@{person.name}").text
    assert 'alt="a kite"' in profile
    assert '<meta name="robots" content="noindex">' in profile
    assert "keeps it to themselves" in words(browse().get(f"/@{person.name}/followers"))
    assert f"@{fan.name}" in words(browser.get(f"/@{person.name}/followers"))
    form = browser.get("/settings/profile").text
    assert 'value="a kite"' in form
    assert len(re.findall(r"<input[^>]*checked", form)) == 2


def test_colours_and_room_are_chosen_in_the_settings(stack: Stack, browse: Browse) -> None:
    browser = browse(stack.new_person())
    assert "data-bs-theme" not in browser.get("/").text
    chosen = stack.submit(browser, "/settings", "/settings/look", language="de", look="dark", density="compact")
    assert note(stack, browser, chosen) == "Deine Wahl ist gespeichert."
    page = browser.get("/settings").text
    assert '<html lang="de" dir="ltr" data-bs-theme="dark" data-density="compact">' in page
    assert '<option selected value="dark">Dunkel</option>' in page
    stack.submit(browser, "/settings", "/settings/look", language="en", look="", density="")
    assert '<html lang="en" dir="ltr">' in browser.get("/").text
    assert stack.submit(browser, "/settings", "/settings/look", language="xx", look="pink").status_code == 422
    browser.cookies.set("look", 'pink" onload="x')
    assert '<html lang="en" dir="ltr">' in browser.get("/").text

"""notify, end to end."""

import re
import secrets

import httpx
from operating import operate
from stack import Person, Stack, wait_for


def kinds(person: Person) -> list[str]:
    return [entry["type"] for entry in person.get("/api/v1/notifications")]


def test_what_others_do_is_told(stack: Stack) -> None:
    author, fan = stack.new_person("author"), stack.new_person("fan")
    status = author.write("hello")
    fan.follow(author)
    fan.post(f"/api/v1/statuses/{status['id']}/favourite")
    fan.post(f"/api/v1/statuses/{status['id']}/reblog")
    fan.write("nice!", in_reply_to_id=status["id"])
    wait_for(lambda: sorted(kinds(author)) == ["favourite", "follow", "mention", "reblog"], "four notifications")
    assert author.get("/api/v1/notifications/unread_count")["count"] == 4
    entry = author.get("/api/v1/notifications", **{"types[]": "favourite"})[0]
    assert (entry["account"]["id"], entry["status"]["id"]) == (fan.id, status["id"])
    author.post("/api/v1/markers", notifications={"last_read_id": author.get("/api/v1/notifications")[0]["id"]})
    assert author.get("/api/v1/notifications/unread_count")["count"] == 0
    fan.post(f"/api/v1/statuses/{status['id']}/unfavourite")
    wait_for(lambda: "favourite" not in kinds(author), "the notification to be taken back")
    author.post("/api/v1/notifications/clear")
    assert kinds(author) == []
    assert kinds(fan) == []


def test_a_new_follower_and_a_comment_are_mailed_once(stack: Stack) -> None:
    author, fan = stack.new_person("author"), stack.new_person("fan")
    address = f"{author.name}@people.example"
    fan.follow(author)
    fan.post(f"/api/v1/accounts/{author.id}/unfollow")
    fan.follow(author)
    fan.write("a comment with **weight**", in_reply_to_id=author.write("hello")["id"])
    wait_for(lambda: any("answered you" in subject for subject, _, _ in stack.mails_to(address)) or None, "the comment's mail")
    wait_for(lambda: any("follows you" in subject for subject, _, _ in stack.mails_to(address)) or None, "the follower's mail")
    mails = [mail for mail in stack.mails_to(address) if "Confirm" not in mail[0]]
    assert len(mails) == 2
    comment = next(mail for mail in mails if "answered you" in mail[0])
    assert "a comment with weight" in comment[1]
    assert comment[2]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_one_click_ends_a_kind_of_mail(stack: Stack) -> None:
    author = stack.new_person("author")
    address = f"{author.name}@people.example"
    stack.new_person("fan").follow(author)
    link = stack.mailed_link(address, "/unsubscribe?")
    header = next(mail[2]["List-Unsubscribe"] for mail in stack.mails_to(address) if "List-Unsubscribe" in mail[2])
    assert header == f"<{link}>"
    assert httpx.get(link).status_code == 200
    assert author.get("/api/v1/microblog/mail_preferences")["follow"] is True
    assert httpx.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert author.get("/api/v1/microblog/mail_preferences") == {"follow": False, "comment": True, "announcement": True}
    before = len(stack.mails_to(address))
    second = stack.new_person("second")
    second.follow(author)
    second.write("hi", in_reply_to_id=author.write("hello")["id"])
    wait_for(lambda: any("answered you" in subject for subject, _, _ in stack.mails_to(address)) or None, "the next mail that is wanted")
    assert len(stack.mails_to(address)) == before + 1


def test_an_admin_announces_by_page_and_command_line_and_all_are_told(stack: Stack) -> None:
    name, text = f"boss_{secrets.token_hex(3)}", f"Maintenance on Friday {secrets.token_hex(4)}"
    made = operate(stack, "accounts", "create-account", "--username", name, "--email", f"{name}@people.example", "--role", "admin")
    password = made.rsplit("password: ", 1)[1].strip()
    reader, refuser = stack.new_person("reader"), stack.new_person("refuser")
    refuser.client.put("/api/v1/microblog/mail_preferences", json={"follow": True, "comment": True, "announcement": False})
    with httpx.Client(base_url=stack.url, timeout=20) as browser:
        assert stack.submit(browser, "/login", "/login", identifier=name, password=password).status_code == 303
        assert stack.submit(browser, "/announcements", text=f"**{text}**").status_code == 303
    shown = reader.get("/api/v1/announcements")[0]
    assert (shown["content"], shown["read"]) == (f"<p><strong>{text}</strong></p>", False)
    with stack.browser() as browser:
        assert stack.submit(browser, "/login", "/login", identifier=reader.name, password="correct horse battery").status_code == 303
        assert f"<strong>{text}</strong>" in browser.get("/").text
        assert f"<strong>{text}</strong>" in browser.get("/announcements").text
        assert text not in browser.get("/").text
    assert reader.get("/api/v1/announcements")[0]["read"] is True
    assert reader.client.post("/api/v1/admin/announcements", json={"text": "me too"}).status_code == 403
    address = f"{reader.name}@people.example"
    wait_for(lambda: any(text in body for _, body, _ in stack.mails_to(address)) or None, "the announcement's mail", 30)
    assert not any(text in body for _, body, _ in stack.mails_to(f"{refuser.name}@people.example"))
    number = re.search(r"announcement (\d+)", operate(stack, "announcements", "announce", "From the shell"))
    assert number is not None
    assert reader.get("/api/v1/announcements")[0]["id"] == number[1]

"""notify, end to end."""

import asyncio
import re
import secrets
from collections import Counter
from collections.abc import Sequence

import composed
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from common.db import Database
from common.kafka import Consumers
from fakes.postmark import FakePostmark
from notify import consumers
from operating import operate, run
from pages import Browse, words
from stack import HOOK_SECRET, Mail, Person, Stack, wait_for


def kinds(person: Person) -> list[str]:
    return [entry["type"] for entry in person.get("/api/v1/notifications")]


def mails(stack: Stack, person: Person, wanted: str) -> list[Mail]:
    """What somebody was mailed with these words in it; waits for the first."""

    def look() -> list[Mail] | None:
        return [mail for mail in stack.mails_to(f"{person.name}@people.example") if wanted in mail.subject or wanted in mail.text] or None

    return wait_for(look, f"a mail with {wanted}", 30)


def pending(stack: Stack) -> object:
    """How many mails have still to be sent, or announcements to be mailed."""
    waiting = "SELECT count(*) FROM mails WHERE state IN ('new', 'claimed', 'unknown')"
    return run(
        stack, "notify", f"SELECT ({waiting}) + (SELECT count(*) FROM announcements WHERE mailed_at IS NULL AND withdrawn_at IS NULL)"
    )[0][0]


async def replay(stack: Stack) -> int:
    """Have everything that `notify` ever heard consumed from offset 0, by its own consumers in groups that have read nothing; how much that was."""
    servers, service = stack.kafka, f"notify-again-{secrets.token_hex(4)}"
    database = Database(stack.database("notify"), pool_size=4)
    again = Consumers(service, servers, service, database)
    consumers.register(again, database)
    topics = ("social.notices", "auth.security", "auth.accounts", "posts.posts")
    reader = AIOKafkaConsumer(*topics, bootstrap_servers=servers)
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    for opened in (database.open, reader.start, admin.start, again.broker.start):
        await opened()
    try:
        ends = {partition: end for partition, end in (await reader.end_offsets(list(reader.assignment()))).items() if end}
        for _ in range(600):
            read: dict[TopicPartition, int] = {}
            for topic in topics:
                committed = await admin.list_consumer_group_offsets(f"{service}.{topic}")
                read |= {partition: told.offset for partition, told in committed.items()}
            if all(read.get(partition, 0) >= end for partition, end in ends.items()):
                return sum(ends.values())
            await asyncio.sleep(0.1)
        raise AssertionError("the replay didn't come to its end within a minute")
    finally:
        for closed in (again.stop, admin.close, reader.stop, database.close):
            await closed()


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


def test_a_new_follower_and_a_comment_are_mailed_once_as_text_and_html(stack: Stack) -> None:
    author, fan = stack.new_person("author"), stack.new_person("fan")
    fan.follow(author)
    fan.post(f"/api/v1/accounts/{author.id}/unfollow")
    fan.follow(author)
    status = fan.write("a comment with **weight** & <b>", in_reply_to_id=author.write("hello")["id"])
    (follow,) = mails(stack, author, "follows you")
    (comment,) = mails(stack, author, "answered you")
    streams = Counter(mail.stream for mail in stack.mails_to(f"{author.name}@people.example"))  # one to confirm the address
    assert streams == {"" if composed.wanted() else "outbound": 3}  # Postmark's word for it
    assert "a comment with weight & <b>" in comment.text
    assert "a comment with weight &amp; &lt;b&gt;" in comment.html
    assert f'<a href="{stack.url}/@{fan.name}/{status["id"]}">' in comment.html
    assert f'<a href="{stack.url}/@{fan.name}">' in follow.html
    for mail in (follow, comment):
        assert mail.html.startswith('<!doctype html>\n<html lang="en">')
        assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert mail.headers["List-Unsubscribe"].strip("<>") in mail.html
        assert mail.headers["List-Unsubscribe"].strip("<>") in mail.text


def test_mail_is_written_in_the_readers_language(stack: Stack, browse: Browse) -> None:
    reader, fan = stack.new_person("reader"), stack.new_person("fan")
    assert stack.submit(browse(reader), "/", "/language", language="es").status_code == 303
    fan.follow(reader)
    (mail,) = mails(stack, reader, "te sigue")
    assert '<html lang="es">' in mail.html
    assert "te sigue ahora" in mail.text


def test_an_edit_is_told_to_who_boosted_and_a_second_one_anew(stack: Stack) -> None:
    author, fan = stack.new_person("author"), stack.new_person("fan")
    status = author.write("first")
    fan.post(f"/api/v1/statuses/{status['id']}/reblog")

    def edit(text: str) -> str:
        before = [entry["id"] for entry in fan.get("/api/v1/notifications")]
        assert author.client.put(f"/api/v1/statuses/{status['id']}", json={"status": text}).status_code == 200
        (told,) = wait_for(
            lambda: [one for one in fan.get("/api/v1/notifications") if one["type"] == "update" and one["id"] not in before] or None,
            "an edit",
        )
        assert told["status"]["id"] == status["id"]
        return str(told["id"])

    first = edit("second")
    fan.post("/api/v1/markers", notifications={"last_read_id": first})
    assert fan.get("/api/v1/notifications/unread_count")["count"] == 0
    assert int(edit("third")) > int(first)
    assert (kinds(fan), fan.get("/api/v1/notifications/unread_count")["count"]) == (["update"], 1)


def test_kinds_are_chosen_left_out_and_dismissed(stack: Stack) -> None:
    author, fan = stack.new_person("author"), stack.new_person("fan")
    status = author.write("hello")
    fan.follow(author)
    fan.post(f"/api/v1/statuses/{status['id']}/favourite")
    fan.write("nice!", in_reply_to_id=status["id"])
    wait_for(lambda: sorted(kinds(author)) == ["favourite", "follow", "mention"], "three notifications")
    left = author.get("/api/v1/notifications", **{"exclude_types[]": ["favourite", "follow"]})
    assert [entry["type"] for entry in left] == ["mention"]
    assert fan.client.post(f"/api/v1/notifications/{left[0]['id']}/dismiss").status_code == 404
    assert author.post(f"/api/v1/notifications/{left[0]['id']}/dismiss") == {}
    assert author.client.get(f"/api/v1/notifications/{left[0]['id']}").status_code == 404
    assert sorted(kinds(author)) == ["favourite", "follow"]


def test_the_page_tells_the_same_in_one_sentence_and_new_things_first(stack: Stack, browse: Browse) -> None:
    author, fans = stack.new_person("author"), [stack.new_person(f"fan{number}") for number in range(3)]
    status, browser = author.write("a post that many like"), browse(author)
    assert "Nothing new." in words(browser.get("/notifications"))
    fans[0].follow(author)
    wait_for(lambda: kinds(author) == ["follow"], "the first notification")
    assert "Seen" not in words(browser.get("/notifications"))
    for fan in fans:
        fan.post(f"/api/v1/statuses/{status['id']}/favourite")
    fans[1].write(f"@{author.name} a word with **weight**")
    wait_for(lambda: len(kinds(author)) == 5, "the others")
    page = browser.get("/notifications")
    told = words(page)
    assert re.search(r"fan\w+ and 2 others like your post a post that many like", told)
    assert "<strong>weight</strong>" in page.text  # a mention is there whole, with all that one can do
    mentioned = author.get("/api/v1/notifications", **{"types[]": "mention"})[0]["status"]
    assert f'formaction="/posts/{mentioned["id"]}/favourite"' in page.text
    assert told.index("mentioned you") < told.index("Seen ") < told.index("follows you")
    assert len(re.findall(r'class="(?:row-line|told) unread"', page.text)) == 2
    only = words(browser.get("/notifications?type=favourites"))
    assert "like your post" in only
    assert "follows you" not in only

    group = [entry["id"] for entry in author.get("/api/v1/notifications", **{"types[]": "favourite"})]
    hidden, target = stack.form(browser, "/notifications?type=favourites", "/notifications/dismiss")
    answer = browser.post(target, data={**hidden, "id": group})
    assert (answer.status_code, answer.headers["location"]) == (303, "/notifications?type=favourites")
    assert sorted(kinds(author)) == ["follow", "mention"]
    assert stack.submit(browser, "/notifications", "/notifications/clear").status_code == 303
    assert (kinds(author), "Nothing new." in words(browser.get("/notifications"))) == ([], True)


def test_one_click_ends_a_kind_of_mail(stack: Stack) -> None:
    author = stack.new_person("author")
    stack.new_person("fan").follow(author)
    (mail,) = mails(stack, author, "follows you")
    link = mail.headers["List-Unsubscribe"].strip("<>")
    assert httpx.get(link).status_code == 200
    assert author.get("/api/v1/microblog/mail_preferences")["follow"] is True
    assert httpx.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert author.get("/api/v1/microblog/mail_preferences") == {"follow": False, "comment": True, "announcement": True}
    second = stack.new_person("second")
    second.follow(author)
    second.write("hi", in_reply_to_id=author.write("hello")["id"])
    assert len(mails(stack, author, "answered you")) == 1  # the next mail that is wanted
    assert len(mails(stack, author, "follows you")) == 1


def test_an_address_that_bounced_gets_no_more_mail(stack: Stack, postmark: FakePostmark) -> None:
    author, fan = stack.new_person("author"), stack.new_person("fan")
    fan.follow(author)
    mails(stack, author, "follows you")
    sent = next(mail for mail in postmark.delivered if mail["To"] == f"{author.name}@people.example" and mail["Tag"] == "follow")
    bounce = postmark.hook(sent, "Bounce", ID=secrets.randbits(30), Type="HardBounce", TypeCode=1, Inactive=True)
    for secret, status in (("wrong", 401), (HOOK_SECRET, 200), (HOOK_SECRET, 200)):
        answer = httpx.post(f"{stack.url}/webhooks/postmark", json=bounce, headers={"X-Webhook-Secret": secret})
        assert answer.status_code == status
    fan.write("hi", in_reply_to_id=author.write("hello")["id"])
    refused = f"SELECT reason FROM mails WHERE account_id = {author.id} AND kind = 'comment' AND state = 'suppressed'"
    assert wait_for(lambda: run(stack, "notify", refused) or None, "the comment's mail to be held back") == [("address suppressed",)]
    assert [mail.subject for mail in stack.mails_to(f"{author.name}@people.example") if "answered you" in mail.subject] == []


def test_an_admin_announces_by_page_and_command_line_and_all_are_told(stack: Stack, browse: Browse, postmark: FakePostmark) -> None:
    name, text = f"boss_{secrets.token_hex(3)}", f"Maintenance on Friday {secrets.token_hex(4)}"
    made = operate(stack, "accounts", "create-account", "--username", name, "--email", f"{name}@people.example", "--role", "admin")
    password = made.rsplit("password: ", 1)[1].strip()
    reader, refuser = stack.new_person("reader"), stack.new_person("refuser")
    refuser.client.put("/api/v1/microblog/mail_preferences", json={"announcement": False})
    admin = browse()
    assert stack.submit(admin, "/login", "/login", identifier=name, password=password).status_code == 303
    assert stack.submit(admin, "/announcements", text=f"**{text}**").status_code == 303
    shown = reader.get("/api/v1/announcements")[0]
    assert (shown["content"], shown["read"]) == (f"<p><strong>{text}</strong></p>", False)
    browser = browse(reader)
    for _ in range(2):  # looking at it puts nothing away
        assert f"<strong>{text}</strong>" in browser.get("/").text
        assert f"<strong>{text}</strong>" in browser.get("/announcements").text
    assert stack.submit(browser, "/", f"/announcements/{shown['id']}/dismiss").status_code == 303
    assert text not in browser.get("/").text
    assert reader.get("/api/v1/announcements")[0]["read"] is True
    assert refuser.get("/api/v1/announcements")[0]["read"] is False
    assert refuser.post(f"/api/v1/announcements/{shown['id']}/dismiss") == {}
    assert refuser.get("/api/v1/announcements")[0]["read"] is True
    assert reader.client.post("/api/v1/admin/announcements", json={"text": "me too"}).status_code == 403
    (mail,) = mails(stack, reader, text)
    assert (mail.stream, mail.headers) == ("broadcast", {})  # where Postmark adds its own link to unsubscribe
    assert f"{stack.url}/announcements" in mail.html
    assert not any(text in mail.text for mail in stack.mails_to(f"{refuser.name}@people.example"))
    assert postmark.batches
    number = re.search(r"announcement (\d+)", operate(stack, "announcements", "announce", "From the shell"))
    assert number is not None
    assert reader.get("/api/v1/announcements")[0]["id"] == number[1]
    assert f"/announcements/{number[1]}/withdraw" not in browser.get("/announcements").text
    hidden, _ = stack.form(browser, "/announcements", f"/announcements/{number[1]}/dismiss")
    assert browser.post(f"/announcements/{number[1]}/withdraw", data=hidden).status_code == 403
    assert stack.submit(admin, "/announcements", f"/announcements/{number[1]}/withdraw").status_code == 303
    assert reader.get("/api/v1/announcements")[0]["id"] == shown["id"]


@pytest.mark.anyio
async def test_replaying_all_events_sends_no_mail_again_and_tells_nothing_anew(stack: Stack, postmark: FakePostmark) -> None:
    author, fan, gone = stack.new_person("author"), stack.new_person("fan"), stack.new_person("gone")
    for person in (fan, gone):
        person.follow(author)
    status = author.write("hello")["id"]
    fan.write("a comment", in_reply_to_id=status)
    deleted = fan.write(f"@{author.name} soon gone")["id"]
    fan.post(f"/api/v1/statuses/{status}/reblog")
    for text in ("hello again", "and again"):
        author.client.put(f"/api/v1/statuses/{status}", json={"status": text})
    wait_for(lambda: len(kinds(author)) == 5, "what happened to be told")
    fan.client.delete(f"/api/v1/statuses/{deleted}")
    operate(stack, "accounts", "delete-account", gone.name, "--yes")
    author.post(f"/api/v1/notifications/{author.get('/api/v1/notifications', **{'types[]': 'reblog'})[0]['id']}/dismiss")
    wait_for(lambda: sorted(kinds(author)) == ["follow", "mention"] and kinds(fan) == ["update"], "what is left")
    # The list leaves out posts that are gone before `notify` has heard of it; the count is its own.
    wait_for(lambda: author.get("/api/v1/notifications/unread_count")["count"] == 2, "notify to have forgotten the deleted post")
    wait_for(lambda: pending(stack) == 0, "every mail to have left", 60)

    def told() -> Sequence[object]:
        everybody = "SELECT id, account_id, kind, gone FROM notifications ORDER BY id"
        return [run(stack, "notify", everybody), [person.get("/api/v1/notifications/unread_count") for person in (author, fan)]]

    before, sent = told(), Counter(postmark.keys())
    assert len(sent) == len(postmark.delivered) > 4
    assert await replay(stack) > 20
    wait_for(lambda: pending(stack) == 0, "mails that should not be planned")
    assert (Counter(postmark.keys()), told()) == (sent, before)

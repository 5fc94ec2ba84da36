"""What tests of permissions share: somebody who has one of everything, and strangers."""

import re
import secrets
from typing import Any, Final

from pages import PASSWORD
from stack import Person, Stack, picture, wait_for

TAG: Final = "belongings"


class Household:
    """An owner with one of everything, each naming one secret word, and who calls."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.word = f"secret{secrets.token_hex(5)}"
        self.owner, self.other, self.blocked, self.friend, asker, muted = (
            stack.new_person(name) for name in ("owner", "other", "blocked", "friend", "asker", "muted")
        )
        self.friend.follow(self.owner)
        self.owner.follow(self.friend)
        self.blocked.follow(self.owner)
        self._describe_oneself()
        asker.follow(self.owner)
        people = {"friend_id": self.friend.id, "asker_id": asker.id, "blocked_id": self.blocked.id, "muted_id": muted.id}
        self.owner.post(f"/api/v1/accounts/{muted.id}/mute")
        self.values = people | self._posts() | self._keep_things() | self._credentials()
        self.values |= {"owner_id": self.owner.id, "owner_name": self.owner.name, "word": self.word, "tag": TAG, "nothing": "1"}
        self.values |= {"host": f"localhost:{stack.port}", "avatar_kind": "avatar", "header_kind": "header"}
        self._wait_for_news()
        self.owner.post(f"/api/v1/accounts/{self.blocked.id}/block")
        self.mine = {person.name: self._mine(person) for person in (self.owner, self.other, self.blocked)}

    def _describe_oneself(self) -> None:
        changed = self.owner.client.patch(
            "/api/v1/accounts/update_credentials",
            data={"locked": "true", "avatar_description": "a face", "source[privacy]": "private"},
            files={"avatar": ("a.jpg", picture(), "image/jpeg"), "header": ("h.jpg", picture("navy"), "image/jpeg")},
        )
        assert changed.status_code == 200, changed.text
        assert self.owner.client.put("/api/v1/microblog/mail_preferences", json={"follow": False}).status_code == 200
        self.owner.post(f"/api/v1/accounts/{self.friend.id}/note", comment=f"{self.word} of a friend")
        self.owner.post(f"/api/v1/accounts/{self.friend.id}/endorse")

    def _posts(self) -> dict[str, str]:
        owner = self.owner
        told = {
            "public": owner.write(f"hello #{TAG}", visibility="public")["id"],
            "private": owner.write(f"{self.word} #{TAG}", visibility="private")["id"],
            "direct": owner.write(f"@{self.friend.name} {self.word}", visibility="direct")["id"],
            "poll": owner.write("which?", visibility="private", poll={"options": [self.word, "none"], "expires_in": 3600})["id"],
        }
        told["boost"] = owner.post(f"/api/v1/statuses/{told['private']}/reblog", visibility="private")["id"]
        for verb in ("favourite", "bookmark", "pin", "mute"):
            owner.post(f"/api/v1/statuses/{told['private']}/{verb}")
        answer = self.friend.write(f"@{owner.name} {self.word} indeed", visibility="direct", in_reply_to_id=told["direct"])
        self.friend.post(f"/api/v1/statuses/{told['public']}/favourite")
        conversations = wait_for(lambda: owner.get("/api/v1/conversations") or None, "the conversation")
        assert conversations[0]["last_status"]["id"] == answer["id"]
        return told | {"conversation": conversations[0]["id"]}

    def _keep_things(self) -> dict[str, str]:
        owner = self.owner
        kept = {"list": owner.post("/api/v1/lists", title=self.word)["id"]}
        for name in ("media", "spare_media", "loose_media"):
            upload = owner.client.post("/api/v2/media", files={"file": ("p.jpg", picture())}, data={"description": f"{self.word} itself"})
            assert upload.status_code == 200, upload.text
            kept[name] = upload.json()["id"]
        owner.post(f"/api/v1/lists/{kept['list']}/accounts", account_ids=[self.friend.id])
        keywords = [{"keyword": f"{self.word}es"}, {"keyword": f"{self.word}y"}]
        made = owner.post("/api/v2/filters", title=f"{self.word} filter", context=["public"], keywords_attributes=keywords)
        kept |= {"filter": made["id"], "keyword": made["keywords"][0]["id"], "other_keyword": made["keywords"][1]["id"]}
        found = owner.post("/api/v1/statuses", status="hidden", visibility="private")["id"]
        kept["filter_status"] = owner.post(f"/api/v2/filters/{made['id']}/statuses", status_id=found)["id"]
        kept["featured_tag"] = owner.post("/api/v1/featured_tags", name="shelves")["id"]
        owner.post(f"/api/v1/tags/{TAG}/follow")
        owner.post("/api/v1/markers", home={"last_read_id": "77"})
        return kept

    def _credentials(self) -> dict[str, str]:
        app, _ = self.stack.app_token("push")
        strange, _ = self.stack.app_token("read")
        credentials = {"client_id": app["client_id"], "client_secret": app["client_secret"]}
        self.apps = {"app": credentials, "strange_app": {"client_id": strange["client_id"], "client_secret": strange["client_secret"]}}
        page = f"/oauth/authorize?client_id={app['client_id']}&redirect_uri=urn:ietf:wg:oauth:2.0:oob&response_type=code&scope=push"
        with self.stack.browser() as browser, self.stack.client() as client:
            assert self.stack.submit(browser, "/login", "/login", identifier=self.owner.name, password=PASSWORD).status_code == 303

            def code() -> str:
                shown = self.stack.submit(browser, page, "/oauth/authorize", decision="approve")
                found = re.search(r'class="form-control oauth-code" readonly value="([^"]+)"', shown.text)
                assert found is not None, shown.text
                return found[1]

            def token() -> str:
                asked = {"grant_type": "authorization_code", "code": code(), "redirect_uri": "urn:ietf:wg:oauth:2.0:oob", **credentials}
                return str(client.post("/oauth/token", data=asked).raise_for_status().json()["access_token"])

            self.narrow = self.stack.client(token())
            return {"spare_token": token(), "code": code()}

    def _wait_for_news(self) -> None:
        def told() -> str | None:
            news = self.owner.get("/api/v1/notifications", limit=80)
            kinds = {entry["type"] for entry in news}
            return next(entry["id"] for entry in news if entry["type"] == "mention") if {"mention", "favourite"} <= kinds else None

        self.values["notification"] = wait_for(told, "what the owner is told")

    def _mine(self, person: Person) -> dict[str, str]:
        made = person.post("/api/v2/filters", title="my own", context=["home"])
        post = person.write("my own", visibility="public")
        return {"my_post": post["id"], "my_filter": made["id"], "my_name": person.name}

    def belongings(self) -> dict[str, Any]:
        """What is the owner's alone, read as the owner."""
        get, values = self.owner.get, self.values
        profile = get("/api/v1/accounts/verify_credentials")
        named = ("display_name", "note", "avatar", "header", "locked", "followers_count", "following_count", "statuses_count")
        return {
            "profile": {name: profile[name] for name in named} | {"privacy": profile["source"]["privacy"]},
            "posts": [get(f"/api/v1/statuses/{values[name]}") for name in ("public", "private", "direct", "poll", "boost")],
            "sources": [get(f"/api/v1/statuses/{values[name]}/source") for name in ("public", "private", "direct")],
            "media": get(f"/api/v1/media/{values['media']}"),
            "lists": [get("/api/v1/lists"), [one["id"] for one in get(f"/api/v1/lists/{values['list']}/accounts")]],
            "filters": [get("/api/v2/filters/" + values["filter"]), get(f"/api/v2/filters/{values['filter']}/statuses")],
            "people": [[one["id"] for one in get(f"/api/v1/{kind}")] for kind in ("blocks", "mutes", "endorsements")],
            "followers": [[one["id"] for one in get(f"/api/v1/accounts/{self.owner.id}/{way}")] for way in ("followers", "following")],
            "askers": values["asker_id"] in [one["id"] for one in get("/api/v1/follow_requests")],
            "note": get("/api/v1/accounts/relationships", **{"id[]": values["friend_id"]}),
            "kept": [[one["id"] for one in get(f"/api/v1/{kind}")] for kind in ("favourites", "bookmarks", "featured_tags")],
            "tags": [one["name"] for one in get("/api/v1/followed_tags")],
            "news": [one["id"] for one in get("/api/v1/notifications", limit=80) if one["account"]["id"] == self.friend.id],
            "conversations": get("/api/v1/conversations"),
            "markers": get("/api/v1/markers", **{"timeline[]": ["home", "notifications"]}),
            "preferences": [get("/api/v1/preferences"), get("/api/v1/microblog/mail_preferences")],
            "pinned": [one["id"] for one in get(f"/api/v1/accounts/{self.owner.id}/statuses", pinned="true")],
        }

    def stands_for(self, role: str) -> None:
        """Have `my_` things be those of whoever calls."""
        person = {"blocked": self.blocked, "other": self.other, "anonymous": self.other}.get(role, self.owner)
        self.values |= self.mine[person.name]

    def filled(self, value: Any) -> Any:
        """The same with everything in braces replaced; the name of an app stands for its credentials."""
        if isinstance(value, dict):
            filled: dict[str, Any] = {}
            for name, inside in value.items():
                filled |= self.apps[name[1:-1]] if name[:1] == "{" else {name: self.filled(inside)}
            return filled
        if isinstance(value, list):
            return [self.filled(inside) for inside in value]
        return value.format(**self.values) if isinstance(value, str) else value

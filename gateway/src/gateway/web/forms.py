"""Forms of the pages. Rules are the services'; here is only what a browser should help with."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from wtforms import (
    BooleanField,
    Field,
    FieldList,
    FileField,
    Form,
    MultipleFileField,
    PasswordField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # the stubs are those of 3.2
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from gateway.web.csrf import SessionCsrf
from gateway.web.i18n import LOCALES

MOST_OPTIONS: Final = 4


_ABOUT: Final = {
    "avatar_description_too_long": "avatar_description",
    "bad_choices": "poll_options",
    "bad_deadline": "poll_expires_in",
    "bad_image": "pictures",
    "bad_tag": "name",
    "blank_title": "title",
    "display_name_too_long": "display_name",
    "empty_post": "status",
    "header_description_too_long": "header_description",
    "image_too_large": "pictures",
    "media_beside_poll": "poll_options",
    "note_too_long": "note",
    "post_too_long": "status",
    "title_too_long": "title",
    "too_many_media": "pictures",
    "unknown_media": "pictures",
    "wrong_credentials": "current",
}
"""Which field a service's error is about, by its code."""


class PageForm(Form):
    """A form with a token against forgery; pass `meta={"csrf_context": token}`."""

    class Meta:
        csrf = True
        csrf_class = SessionCsrf
        csrf_field_name = "csrf_token"

    def problems(self) -> Iterable[str]:
        """Every error as a sentence."""
        for messages in self.errors.values():
            yield from (str(message) for message in messages)

    def marked(self) -> Iterator[tuple[Field, str, str]]:
        """Each field that something is wrong with, in the order of the page: where to go (of several boxes the first), its label, what is wrong."""
        for field in self:
            if field.errors and field.name != self.meta.csrf_field_name:
                yield next(iter(getattr(field, "entries", ())), field), field.label.text, str(field.errors[0])

    def marks(self, name: str) -> dict[str, str]:
        """Attributes that tell of a field that something is wrong with it, and where that is said."""
        return {"aria-invalid": "true", "aria-describedby": f"{name}-wrong"} if self._fields[name].errors else {}

    def blame(self, code: str, sentence: str) -> bool:
        """Put a service's sentence beside the field that the error with this code is about; False if that is none of this form's."""
        field = self._fields.get(_ABOUT.get(code, ""))
        if field is not None:
            field.errors = [*field.errors, sentence]
        return field is not None

    def place(self, details: dict[str, list[dict[str, str]]]) -> None:
        """Put a service's errors beside the fields that they are about."""
        for name, found in details.items():
            if name in self._fields:
                field = self._fields[name]
                field.errors = [*field.errors, *(problem["description"] for problem in found)]


class Register(PageForm):
    username = StringField(
        "Name", [InputRequired(), Length(max=30)], render_kw={"autocomplete": "username", "pattern": "[A-Za-z0-9_]{1,30}"}
    )
    email = StringField("E-mail", [InputRequired(), Length(max=320)], render_kw={"type": "email", "autocomplete": "email"})
    password = PasswordField(
        "Password", [InputRequired(), Length(min=8, max=128)], render_kw={"autocomplete": "new-password", "minlength": 8}
    )
    agreement = BooleanField("I will be kind to others", [InputRequired()])


class LogIn(PageForm):
    identifier = StringField("Name or e-mail", [InputRequired(), Length(max=320)], render_kw={"autocomplete": "username"})
    password = PasswordField("Password", [InputRequired(), Length(max=1000)], render_kw={"autocomplete": "current-password"})
    remember = BooleanField("Keep me logged in for 30 days")


class AskReset(PageForm):
    email = StringField("E-mail", [InputRequired(), Length(max=320)], render_kw={"type": "email", "autocomplete": "email"})


class UseReset(PageForm):
    password = PasswordField("New password", [InputRequired(), Length(min=8, max=128)], render_kw={"autocomplete": "new-password"})


class Compose(PageForm):
    status = TextAreaField("What would you like to say?", [Optional(), Length(max=100_000)])
    spoiler_text = StringField("Content warning", [Optional(), Length(max=500)])
    visibility = SelectField(
        "Who may read it",
        choices=[
            SelectChoice("public", "Everybody"),
            SelectChoice("unlisted", "Everybody, but quietly"),
            SelectChoice("private", "Followers"),
            SelectChoice("direct", "Those I mention"),
        ],
    )
    language = SelectField("Language", choices=[SelectChoice("", "Recognise")], validate_choice=False)
    pictures = MultipleFileField("Pictures", render_kw={"accept": "image/png,image/jpeg,image/webp,image/gif"})
    poll_options = FieldList(
        StringField("Answer", [Optional(), Length(max=50)]), "Poll", min_entries=MOST_OPTIONS, max_entries=MOST_OPTIONS
    )
    poll_expires_in = SelectField(
        "Open for",
        choices=[
            SelectChoice("300", "5 minutes"),
            SelectChoice("1800", "30 minutes"),
            SelectChoice("3600", "1 hour"),
            SelectChoice("21600", "6 hours"),
            SelectChoice("86400", "1 day"),
            SelectChoice("259200", "3 days"),
            SelectChoice("604800", "7 days"),
        ],
        default="86400",
    )
    poll_multiple = BooleanField("Several answers may be chosen")
    poll_hide_totals = BooleanField("Show results only when it ends")


class EditProfile(PageForm):
    display_name = StringField("Display name", [Optional(), Length(max=30)])
    note = TextAreaField("About me", [Optional(), Length(max=500)])
    avatar = FileField("Avatar", render_kw={"accept": "image/png,image/jpeg,image/webp"})
    header = FileField("Header", render_kw={"accept": "image/png,image/jpeg,image/webp"})
    avatar_description = StringField("What the avatar shows", [Optional(), Length(max=1500)])
    header_description = StringField("What the header shows", [Optional(), Length(max=1500)])
    locked = BooleanField("I approve who follows me")
    hide_collections = BooleanField("Nobody else sees whom I follow and who follows me")
    discoverable = BooleanField("I may be recommended to others")
    indexable = BooleanField("Everybody may find my public posts by search")
    bot = BooleanField("This account is automated")


class FeatureTag(PageForm):
    name = StringField("Hashtag", [InputRequired(), Length(max=101)], render_kw={"autocapitalize": "none"})


class ChangePassword(PageForm):
    current = PasswordField("Current password", [InputRequired(), Length(max=1000)], render_kw={"autocomplete": "current-password"})
    new = PasswordField("New password", [InputRequired(), Length(min=8, max=128)], render_kw={"autocomplete": "new-password"})


class DeleteAccount(PageForm):
    current = PasswordField("Current password", [InputRequired(), Length(max=1000)], render_kw={"autocomplete": "current-password"})


class MailChoice(PageForm):
    follow = BooleanField("Somebody follows me")
    comment = BooleanField("Somebody answers me")
    announcement = BooleanField("News from this server")


AS_IT_IS = "as it is"
_MAX_WORD = 512


def lines(text: str | None) -> list[str]:
    """What stands on each line, empty ones left out."""
    return [line.strip() for line in (text or "").splitlines() if line.strip()]


def _short_lines(form: Form, field: Any) -> None:
    if any(len(line) > _MAX_WORD for line in lines(field.data)):
        raise ValidationError("A word or phrase can have no more than 512 characters.")


class EditFilter(PageForm):
    title = StringField("What this filter is called", [InputRequired(), Length(max=256)])
    words = TextAreaField("Words and phrases, one on each line", [Optional(), _short_lines], render_kw={"rows": 4, "dir": "auto"})
    parts = TextAreaField("The same, also inside of longer words", [Optional(), _short_lines], render_kw={"rows": 2, "dir": "auto"})
    home = BooleanField("At home")
    notifications = BooleanField("Among notifications")
    public = BooleanField("In public feeds and searches")
    thread = BooleanField("In conversations")
    account = BooleanField("On profiles")
    filter_action = SelectField(
        "What happens",
        choices=[
            SelectChoice("warn", "Fold the post, and say why"),
            SelectChoice("blur", "Fold the pictures only"),
            SelectChoice("hide", "Leave the post out"),
        ],
    )
    ends = SelectField(
        "It ends",
        choices=[
            SelectChoice("", "Never"),
            SelectChoice("1800", "In half an hour"),
            SelectChoice("3600", "In an hour"),
            SelectChoice("21600", "In six hours"),
            SelectChoice("86400", "In a day"),
            SelectChoice("604800", "In a week"),
            SelectChoice(AS_IT_IS, "As it is set"),
        ],
        default=AS_IT_IS,
    )

    def validate_account(self, field: Any) -> None:
        """The last of the places is where it is said that one is needed."""
        if not any(self[name].data for name in ("home", "notifications", "public", "thread", "account")):
            raise ValidationError("Choose one place at least.")


class EditList(PageForm):
    title = StringField("Title", [InputRequired(), Length(max=256)])
    replies_policy = SelectField(
        "Answers that it shows",
        choices=[
            SelectChoice("list", "To others in the list"),
            SelectChoice("followed", "To people whom I follow"),
            SelectChoice("none", "To nobody else"),
        ],
    )
    exclusive = BooleanField("Show these people only here, not at home")


class Look(PageForm):
    language = SelectField("Language of these pages", choices=[SelectChoice(code, name) for code, name in LOCALES.items()])
    look = SelectField("Colours", choices=[SelectChoice("", "As the device"), SelectChoice("light", "Light"), SelectChoice("dark", "Dark")])
    density = SelectField("Room between posts", choices=[SelectChoice("", "Comfortable"), SelectChoice("compact", "Compact")])
    keys = BooleanField("Single keys do things: ? lists them")


class Announce(PageForm):
    text = TextAreaField("Announcement", [InputRequired(), Length(max=5000)])


class Plain(PageForm):
    """Only the token: for buttons."""


def filled(form: type[PageForm], token: str, data: Any = None, **defaults: Any) -> Any:
    """A form with its token; `data` is what was sent."""
    return form(data, meta={"csrf_context": token}, **defaults)

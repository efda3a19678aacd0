"""The form of a page as a browser sends it: what stands in its fields, line by line."""

from html.parser import HTMLParser

from starlette.datastructures import FormData

Attributes = list[tuple[str, str | None]]


class Sheet(HTMLParser):
    """The fields of the form that has an id, as they are filled in."""

    def __init__(self, page: str, form_id: str) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self._form_id = form_id
        self._is_in = False
        self._area: str | None = None
        self._select: str | None = None
        self._options: list[tuple[str, bool]] = []
        self.feed(page)

    @property
    def fields(self) -> FormData:
        """Return them as a handler gets them."""
        return FormData(self.sent)

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_in = told.get("id") == self._form_id
        elif not self._is_in:
            return
        elif tag == "input" and told.get("name"):
            self.sent.append((told["name"], told.get("value", "")))
        elif tag == "textarea":
            self.sent.append((told["name"], ""))
            self._area = told["name"]
        elif tag == "select":
            self._select, self._options = told["name"], []
        elif tag == "option" and self._select:
            self._options.append((told["value"], "selected" in told))

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            name, before = self.sent[-1]
            self.sent[-1] = (name, before + data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_in = False
        elif tag == "textarea" and self._area is not None:
            text = self.sent[-1][1].removeprefix("\n")  # a browser drops the first
            self.sent[-1] = (self._area, text.replace("\n", "\r\n"))
            self._area = None
        elif tag == "select" and self._select:
            chosen = [value for value, is_chosen in self._options if is_chosen]
            value = (chosen or [self._options[0][0]])[-1]
            self.sent.append((self._select, value))
            self._select = None

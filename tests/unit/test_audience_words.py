"""Audiences as sentences, and what else is told of a definition without a database."""

import pytest

from rowlift.core.audiences import circle, in_order
from rowlift.project.audiences import AudienceFile
from rowlift.project.files import validated
from rowlift.project.wording import sentence
from rowlift.project.yaml import parse

SENTENCES = {
    "People whose plan is “pro”.": {"attribute": "plan", "is": "pro"},
    "People whose plan is one of “pro” or “team”.": {
        "attribute": "plan", "one_of": ["pro", "team"],
    },
    "People whose mrr is at least 1,000 and is less than 2.5.": {
        "attribute": "mrr", "at_least": 1000, "less_than": 2.5,
    },
    "People whose vip is true and whose born is not known.": {
        "all": [{"attribute": "vip", "is": True}, {"attribute": "born", "missing": True}]
    },
    "People who did “Bought” at least 3 times in the last 30 days.": {
        "event": "Bought", "at_least": 3, "within_last": "30d",
    },
    "People who did not do “Bought” in the last week.": {
        "event": "Bought", "at_most": 0, "within_last": "1w",
    },
    "People who did not see the page “Pricing”.": {
        "event": "Pricing", "type": "page", "at_most": 0,
    },
    "People who did “Bought” 1 to 2 times with price is more than 9.": {
        "event": "Bought", "at_least": 1, "at_most": 2,
        "where": {"attribute": "price", "more_than": 9},
    },
    "People who belong to an account with plan is “pro” and (seats is 1 or seats is 2).": {
        "related": 1,
        "where": {"all": [
            {"attribute": "plan", "is": "pro"},
            {"any": [{"attribute": "seats", "is": 1}, {"attribute": "seats", "is": 2}]},
        ]},
    },
    "People who belong to a course by a relationship with role is “pupil”.": {
        "related": "course", "relationship": {"attribute": "role", "is": "pupil"},
    },
    "People neither who are in “a” nor who are in “b”.": {
        "none": [{"segment": "a"}, {"segment": "b"}]
    },
    "People of any kind.": {"all": []},
    "People whose seen lies in the last 12 hours.": {"attribute": "seen", "within_last": "12h"},
}  # fmt: skip


def spec(name="a", **document):
    return AudienceFile.model_validate({"audience": name, **document}).spec()


@pytest.mark.parametrize("words", SENTENCES)
def test_an_audience_is_told_in_one_sentence(words):
    assert sentence(spec(where=SENTENCES[words])) == words


def test_who_is_left_out_and_how_many_are_taken_is_told():
    told = sentence(
        spec(
            where={"segment": "vips"},
            exclude={"attribute": "email", "ends_with": "@acme.org"},
            limit={"most": 1000, "by": "ltv"},
        )
    )
    assert told == (
        "People who are in “vips”, but not those whose email ends with “@acme.org”; "
        "the 1,000 with the highest ltv."
    )


def test_what_depends_on_the_day_is_looked_at_each_hour_unless_it_is_said():
    dated = {"any": [{"event": "Bought", "within_last": "7d"}, {"segment": "vips"}]}
    assert spec(where=dated).every == 3600
    assert spec(where=dated, every="5m").every == 300
    assert spec(where={"segment": "vips"}).every is None


def test_audiences_come_after_those_they_are_made_from():
    made_from = {"a": ["b", "outside"], "b": ["c"], "c": [], "d": ["a", "c"]}
    audiences = {
        name: spec(name, where={"any": [{"segment": one} for one in of]})
        for name, of in made_from.items()
    }
    order = in_order(audiences)
    assert sorted(order) == [*"abcd"]
    assert all(
        order.index(one) < order.index(name)
        for name, of in made_from.items()
        for one in of
        if one in audiences
    )
    assert circle("a", audiences) == ()
    audiences["c"] = spec("c", where={"segment": "a"})
    assert circle("a", audiences) == ("a", "b", "c", "a")
    assert circle("d", audiences) == ()


WRONG = {
    "audience: a\nwhere: {attribute: plan, iss: pro}\n": 'Did you mean "is"?',
    "audience: a\nwhere: {segment: vips}\nevery: 10s\n": "every must be 1m or more",
    "audience: a\nwhere: {attribute: plan}\n": "needs a test beside attribute",
    "audience: a\nwhere: {attribute: mrr, more_than: '5'}\n": "must be a number without quotes",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_in_the_words_of_the_file(text):
    document = parse(text, "audiences/a.yml")
    assert validated(document, AudienceFile, "the audience") is None
    (problem,) = document.problems
    assert WRONG[text] in str(problem)
    assert "is_," not in problem.mend

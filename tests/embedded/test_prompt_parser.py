from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from sheepgen.embedded.prompt import read_words
from sheepgen.embedded.prompt_parser import PromptParser, parse
from sheepgen.models.families import PROMPT_SYMBOLS
from tests.embedded.vocabularies import tiny_vocabulary

VOCABULARY = tiny_vocabulary()
QUESTIONS = {
    "kind": ("", "single", "several", "riding", "next_to", "wearing", "digits"),
    "count": ("", "1", "2"),
    "place": ("", "beach", "moon"),
    "digits": ("", *"0123456789"),
    "second digit": ("", *"0123456789"),
}
GRAMMAR = {
    "a cat riding a fire truck": ("riding", "", [1, 2], ["", ""]),
    "a fire truck with a cat riding on the fire truck": ("riding", "", [0, 1, 2], ["", "", ""]),
    "a cat and a red wolf on the beach": ("next_to", "beach", [1, 2], ["", "red"]),
    "a red cat next to a wolf on the moon": ("next_to", "moon", [1, 2], ["red", ""]),
    "a cat wearing a red hat": ("wearing", "", [1, 2], ["", "red"]),
    "a red cat": ("single", "", [1], ["red"]),
    "two cats": ("several", "", [1], [""]),
    "beach": ("", "beach", [], []),
    "4": ("digits", "", [], []),
}


def new_parser() -> PromptParser:
    torch.manual_seed(0)
    return PromptParser(len(VOCABULARY.ids), QUESTIONS, ("red",), width=32, layers=1, heads=2)


@pytest.fixture(scope="module")
def taught() -> PromptParser:
    """A parser that was taught the grammar for a second."""
    parser = new_parser()
    optimizer = torch.optim.AdamW(parser.parameters(), lr=0.01)
    read = [read_words(prompt, VOCABULARY) for prompt in GRAMMAR]
    ids = torch.zeros(len(read), 16, dtype=torch.long)
    owners, colours = torch.full((2, *ids.shape), -100)
    for row, (words, (_, _, owned, coloured)) in enumerate(
        zip(read, GRAMMAR.values(), strict=True)
    ):
        for at, symbol in enumerate(words.symbols):
            ids[row, at] = VOCABULARY.ids[symbol]
        for mention, owner, colour in zip(words.mentions, owned, coloured, strict=True):
            owners[row, mention.symbol] = owner
            colours[row, mention.symbol] = parser.colours.index(colour)
    kinds = torch.tensor([QUESTIONS["kind"].index(kind) for kind, *_ in GRAMMAR.values()])
    places = torch.tensor([QUESTIONS["place"].index(place) for _, place, *_ in GRAMMAR.values()])
    digits = torch.tensor([5 if kind == "digits" else 0 for kind, *_ in GRAMMAR.values()])
    for _ in range(50):
        logits = parser(ids)
        loss = functional.cross_entropy(logits.questions["kind"], kinds)
        loss = loss + functional.cross_entropy(logits.questions["place"], places)
        loss = loss + functional.cross_entropy(logits.questions["digits"], digits)
        loss = loss + functional.cross_entropy(logits.owners.mT, owners)
        loss = loss + functional.cross_entropy(logits.colours.mT, colours)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return parser.eval()


@pytest.mark.parametrize(
    ("prompt", "kind", "concepts", "colours"),
    [
        ("a cat riding a fire truck", "riding", ["cat", "fire truck"], ["", ""]),
        ("a wolf wearing a red hat", "wearing", ["wolf", "sun hat"], ["", "red"]),
        ("a red elephant", "single", ["elephant"], ["red"]),
        ("two hounds", "several", ["wolf"], [""]),
        ("beach", "", [], []),
        ("4", "digits", [], []),
        ("", "", [], []),
    ],
)
def test_it_learns_how_words_relate_and_not_their_names(
    taught: PromptParser, prompt: str, kind: str, concepts: list[str], colours: list[str]
) -> None:
    parsed = parse(taught, read_words(prompt, VOCABULARY), VOCABULARY)
    assert parsed.answers["kind"] == kind
    assert [mention.concept for mention in parsed.mentions] == concepts
    assert [*parsed.colours] == colours


def test_padding_changes_nothing() -> None:
    parser = new_parser().eval()
    short = torch.tensor([[5, 6, 7]])
    alone, padded = parser(short), parser(functional.pad(short, (0, 4)))
    torch.testing.assert_close(padded.owners[:, :3], alone.owners)
    for question in QUESTIONS:
        torch.testing.assert_close(padded.questions[question], alone.questions[question])


@pytest.mark.parametrize("prompt", ["cat " * PROMPT_SYMBOLS, "7", "cat", "and", "cat wolf gift"])
def test_even_an_untaught_parser_is_consistent(prompt: str) -> None:
    parsed = parse(new_parser().eval(), read_words(prompt, VOCABULARY), VOCABULARY)
    kind = parsed.answers["kind"]
    expected = {"": 0, "digits": 0, "single": 1, "several": 1}.get(kind, 2)
    assert len(parsed.mentions) == len(parsed.colours) == expected
    assert bool(parsed.answers["digits"]) == (kind == "digits")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("prompt", "kinds"),
    [
        ("a cat with a gift", {"next_to"}),
        ("a gift and a cat", {"next_to"}),
        ("a cat riding a gift", {"single", "several", "next_to"}),
        ("a cat, a cat", {"next_to"}),
        ("cats", {"several"}),
    ],
)
def test_no_parser_answers_what_its_words_cannot_mean(
    prompt: str, kinds: set[str], seed: int
) -> None:
    torch.manual_seed(seed)
    parser = PromptParser(len(VOCABULARY.ids), QUESTIONS, ("red",), width=32, layers=1, heads=2)
    parser.answers.bias.data.normal_(std=9)
    parsed = parse(parser.eval(), read_words(prompt, VOCABULARY), VOCABULARY)
    assert parsed.answers["kind"] in kinds | {"digits"}
    if parsed.answers["kind"] == "several":
        assert parsed.answers["count"] == "2"
    elif parsed.mentions:
        assert parsed.answers["count"] == "1"

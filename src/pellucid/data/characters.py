"""Text as numbered characters, cut into windows that predict their own next character."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from pellucid.calls import helpful
from pellucid.data.arguments import whole

IntArray = NDArray[np.int64]


@helpful
class CharVocabulary:
    """The distinct characters of a text, numbered in the order of their code points.

    encode(text)[i] is the place of text[i] in `characters`, and decode undoes it.

    Attributes:
        characters: All of them as one string, c_0 c_1 ...; a vocabulary made of it is the same.

    Args:
        text: Any text, or several; each character counts once.

    Raises:
        TypeError: `text` is no text.
        ValueError: It has no characters.

    >>> from pellucid import data
    >>> vocabulary = data.CharVocabulary("hello")
    >>> vocabulary
    CharVocabulary('ehlo')
    >>> vocabulary.encode("hole").tolist()
    [1, 3, 2, 0]
    >>> vocabulary.decode([1, 3, 2, 0])
    'hole'
    """

    def __init__(self, text: str | Iterable[str]) -> None:
        if not isinstance(text, Iterable):
            raise TypeError(
                f"text: expected a string or several, got {type(text).__name__}; pass the text"
            )
        pieces = (text,) if isinstance(text, str) else tuple(text)
        if wrong := [piece for piece in pieces if not isinstance(piece, str)]:
            raise TypeError(
                f"text: expected a string or several, got {type(wrong[0]).__name__} among them; "
                "decode bytes first"
            )
        self.characters = "".join(sorted(set().union(*pieces)))
        if not self.characters:
            raise ValueError("text: expected at least one character, got none; pass the text")
        self._points = _code_points(self.characters)

    def __len__(self) -> int:
        return len(self.characters)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CharVocabulary) and self.characters == other.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    def __repr__(self) -> str:
        return f"CharVocabulary({self.characters!r})"

    def encode(self, text: str) -> IntArray:
        """Return the number of each character, int64 (n,).

        Raises:
            TypeError: `text` is no string.
            ValueError: A character is not in the vocabulary; the message says which and where.
        """
        if not isinstance(text, str):
            raise TypeError(
                f"text: expected a string, got {type(text).__name__}; decode bytes first"
            )
        points = _code_points(text)
        codes = np.searchsorted(self._points, points).clip(max=len(self) - 1)
        unknown = self._points[codes] != points
        if unknown.any():
            place = int(unknown.argmax())
            raise ValueError(
                f"text: expected only the {len(self)} characters of the vocabulary, got "
                f"{text[place]!r} at place {place}; make the vocabulary of all the text there is"
            )
        return codes.astype(np.int64)

    def decode(self, codes: ArrayLike) -> str:
        """Return the text that numbers (n,) stand for.

        Raises:
            TypeError: The numbers are no integers.
            ValueError: They are not one-dimensional, or one is outside 0..len - 1.
        """
        numbers = np.asarray(codes)
        if numbers.ndim != 1:
            raise ValueError(
                f"codes: expected numbers of shape (n,), got {numbers.shape}; decode one row at a "
                "time"
            )
        if numbers.size == 0:
            return ""
        if numbers.dtype.kind not in "iu":
            raise TypeError(
                f"codes: expected integers, got {numbers.dtype}; take the argmax of probabilities"
            )
        if numbers.min() < 0 or numbers.max() >= len(self):
            raise ValueError(
                f"codes: expected numbers in 0..{len(self) - 1}, got {numbers.min()}.."
                f"{numbers.max()}; they are of another vocabulary"
            )
        return "".join([self.characters[i] for i in numbers.tolist()])


@helpful
class TextWindows:
    """Pieces of a text with the pieces one character on: x[i] = codes[s i : s i + T], y one later.

    `Loader(windows)` draws shuffled batches of them, `model.fit(windows.x, windows.y)` takes them
    as arrays. Both are views of one array of codes, so all of them take no more memory than it.

    Attributes:
        x: The windows, int64 (N, T), read-only.
        y: For each place of a window the character that follows, int64 (N, T), read-only.
        codes: The whole text, int64 (n,).
        vocabulary: What numbers the characters.

    Args:
        codes: Numbered characters, int64 (n,).
        length: T, the characters in a window.
        vocabulary: What numbered them.
        step: s, the distance between the starts of neighbouring windows.

    Raises:
        TypeError: `length` or `step` is no integer.
        ValueError: Either is below 1, or the text has no more characters than a window.

    >>> from pellucid import data
    >>> vocabulary = data.CharVocabulary("hello")
    >>> windows = data.TextWindows(vocabulary.encode("hello"), 2, vocabulary, step=2)
    >>> [(vocabulary.decode(x), vocabulary.decode(y)) for x, y in windows]
    [('he', 'el'), ('ll', 'lo')]
    """

    def __init__(
        self, codes: IntArray, length: int, vocabulary: CharVocabulary, step: int = 1
    ) -> None:
        length, step = whole(length, "length"), whole(step, "step")
        if len(codes) <= length:
            raise ValueError(
                f"length: expected fewer than the {len(codes)} characters of the text, got "
                f"{length}; make the windows shorter or the text longer"
            )
        self.codes, self.vocabulary = codes, vocabulary
        pairs = sliding_window_view(codes, length + 1)[::step]  # (N, T + 1)
        self.x, self.y = pairs[:, :-1], pairs[:, 1:]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[IntArray, IntArray]:
        """Return window i and the one after it, int64 (T,) each."""
        return self.x[i], self.y[i]

    def __repr__(self) -> str:
        return (
            f"<TextWindows {len(self):,} of {self.x.shape[1]} characters, "
            f"{len(self.vocabulary)} different>"
        )


@helpful
def text(
    source: str | Path,
    length: int,
    *,
    step: int = 1,
    vocabulary: CharVocabulary | None = None,
) -> TextWindows:
    """Return a text as windows of `length` characters for a model of the next character.

        everything = data.shakespeare()
        train = data.text(everything[:1_000_000], 64)
        held = data.text(everything[1_000_000:], 64, vocabulary=train.vocabulary)

    Args:
        source: The text itself, or as a `pathlib.Path` a file in UTF-8, whose line ends become
            one character each.
        length: Characters in a window.
        step: Distance between the starts of neighbouring windows; `length` keeps them apart.
        vocabulary: That of other text, so that numbers mean the same; None takes the characters
            that occur in this one.

    Raises:
        TypeError: `source` is neither a text nor a path, `vocabulary` is no vocabulary, or a
            number is no integer.
        OSError: The file cannot be read.
        ValueError: The file is no UTF-8, the text is the name of a file, has no more characters
            than a window, or has one that is not in the vocabulary.

    >>> from pellucid import data
    >>> windows = data.text("hello", 3)
    >>> windows
    <TextWindows 2 of 3 characters, 4 different>
    >>> [windows.vocabulary.decode(codes) for codes in windows[0]]
    ['hel', 'ell']
    """
    if vocabulary is not None and not isinstance(vocabulary, CharVocabulary):
        raise TypeError(
            f"vocabulary: expected a CharVocabulary, got {type(vocabulary).__name__}; pass that "
            "of the other text"
        )
    content = _content(source)
    if vocabulary is None and content:
        vocabulary = CharVocabulary(content)
    if vocabulary is None or not content:
        raise ValueError(f"source: expected text, got none in {source!r}; pass some")
    return TextWindows(vocabulary.encode(content), length, vocabulary, step)


def _content(source: Any) -> str:
    if isinstance(source, Path):
        try:
            return source.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{source}: expected text in UTF-8, got something else ({error}); convert it"
            ) from error
    if not isinstance(source, str):
        raise TypeError(
            f"source: expected a string or a pathlib.Path, got {type(source).__name__}; decode "
            "bytes first"
        )
    if _names_a_file(source):
        raise ValueError(
            f"source: expected the text itself, got the name of a file, {source!r}; for its "
            "content pass pathlib.Path(...)"
        )
    return source


def _names_a_file(source: str) -> bool:
    try:
        return len(source) < 256 and "\n" not in source and Path(source).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")

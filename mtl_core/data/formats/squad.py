"""The format of SQuAD 1.1 and 2.0: questions on contexts."""

from pathlib import Path
from typing import Any, Literal

from mtl_core.data.example import Answer, Example
from mtl_core.data.formats.base import Columns, FilesBase, check_columns
from mtl_core.data.formats.json_files import get_key
from mtl_core.data.formats.text_files import cut_words, read_json
from mtl_core.data.notes import SplitNotes


class Squad(FilesBase):
    """SQuAD 1.1 or 2.0 files; the column is `answers`."""

    kind: Literal["squad"] = "squad"

    def read_split(self, source: str, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one file; see `DatasetBase.read_split`."""
        check_columns(source, columns, {"answers": "answers"})
        return squad_examples(Path(source))


def squad_examples(path: Path) -> list[Example]:
    """Reads a file of SQuAD 1.1 or 2.0; an empty list of answers = there is no answer.

    Raises:
        DataError: The file cannot be read, or an answer does not stand in its context.
    """
    examples = []
    for article_number, article in enumerate(get_key(read_json(path), "data", list, str(path))):
        where = f"{path}: data[{article_number}]"
        for number, paragraph in enumerate(get_key(article, "paragraphs", list, where)):
            place = f"{where}.paragraphs[{number}]"
            context = get_key(paragraph, "context", str, place)
            questions = get_key(paragraph, "qas", list, place)
            examples += [_question(question, context, place) for question in questions]
    return examples


def _question(question: Any, context: str, place: str) -> Example:
    where = f"{place}, question '{get_key(question, 'id', str, place)}'"
    words = cut_words(get_key(question, "question", str, where), where)
    # Without the key it is not known whether there is an answer; an empty list says there is none.
    if question.get("answers") is None:
        return Example(words, second=context)
    answers = []
    for answer in get_key(question, "answers", list, where):
        text, start = (
            get_key(answer, "text", str, where),
            get_key(answer, "answer_start", int, where),
        )
        answers.append(Answer(text, start))
        answers[-1].check(context, where)
    return Example(words, {"answers": tuple(answers)}, second=context)

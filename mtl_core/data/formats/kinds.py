"""The formats of data sets: from files or a hub id to one list of `Example` per split.

To add a format, write its file, its word here and its row in the tests.
"""

from typing import Annotated

from pydantic import Field

from mtl_core.data.formats.clinc import Clinc
from mtl_core.data.formats.conll import Conll
from mtl_core.data.formats.conllu import Conllu
from mtl_core.data.formats.hub import Hub
from mtl_core.data.formats.lines import Lines
from mtl_core.data.formats.multiwoz import MultiWoz
from mtl_core.data.formats.sample import Sample
from mtl_core.data.formats.seq_in_out import SeqInOut
from mtl_core.data.formats.spans_json import SpansJson
from mtl_core.data.formats.squad import Squad
from mtl_core.data.formats.tables import Table

DatasetSection = Annotated[
    SeqInOut | Table | Hub | Conll | Conllu | Squad | SpansJson | Clinc | MultiWoz | Lines | Sample,
    Field(discriminator="kind"),
]

"""What is left out of importing Transformers is there all the same when it is asked for."""

import json
import subprocess
import sys
from importlib.metadata import version

COMMON = """
import sys
import torch
from mtl_core.model._transformers_imports import import_modeling, import_models
"""


def printed(code: str) -> object:
    done = subprocess.run(
        [sys.executable, "-c", COMMON + code], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_version_is_the_one_whose_private_parts_are_known() -> None:
    """Of another version, read `mtl_core/model/_transformers_imports.py` against its source."""
    assert version("transformers").startswith("5.23.")


def test_the_package_of_models_is_what_it_is_without_it() -> None:
    names = (
        "import json, transformers.models as found\n"
        "print(json.dumps([sorted(dir(found)), found.bert.BertConfig().model_type,\n"
        "    sorted(found.__all__), found.__spec__.name,\n"
        "    __import__('transformers').models.xlm_roberta.__name__]))"
    )
    assert printed("import_models(); import_models()\n" + names) == printed(names)


def test_files_are_read_once() -> None:
    """The reader of a file is called half as often as Transformers calls it by itself."""
    count = (
        "import json, transformers\n"
        "from transformers.utils import import_utils\n"
        "read, calls = import_utils.create_import_structure_from_path, []\n"
        "def counted(path):\n"
        "    calls.append(str(path))\n"
        "    return read(path)\n"
        "import_utils.create_import_structure_from_path = counted\n"
        "{}\n"
        "import transformers.models\n"
        "print(json.dumps(len(calls)))"
    )
    assert printed(count.format("import_models()")) == 0
    own = printed(count.format(""))
    assert isinstance(own, int)
    assert own > 100


def test_solvers_come_when_they_are_called() -> None:
    code = (
        "import_modeling()\n"
        "before = 'scipy.optimize' in sys.modules\n"
        "import json, numpy\n"
        "from transformers.loss import loss_for_object_detection as losses\n"
        "found = losses.linear_sum_assignment(numpy.array([[4, 1], [2, 8]]))\n"
        "from scipy.optimize import linear_sum_assignment, minimize\n"
        "import scipy\n"
        "print(json.dumps([before, [list(map(int, part)) for part in found],\n"
        "    scipy.optimize.minimize is minimize, 'scipy.optimize' in sys.modules]))"
    )
    assert printed(code) == [False, [[0, 1], [1, 0]], True, True]


def test_what_is_imported_already_stays() -> None:
    code = (
        "import json, scipy.optimize as before\n"
        "import_modeling()\n"
        "from transformers.loss import loss_for_object_detection as losses\n"
        "print(json.dumps([sys.modules['scipy.optimize'] is before,\n"
        "    losses.linear_sum_assignment is before.linear_sum_assignment]))"
    )
    assert printed(code) == [True, True]

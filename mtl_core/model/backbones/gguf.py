"""Models in the format of llama.cpp (GGUF): unpacked into a folder as all others are."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtl_core.extras import check_installed
from mtl_core.model._transformers import LOADING, gguf_facts, silent_gguf, without_weights

if TYPE_CHECKING:
    from tokenizers import Tokenizer

UNPACKED_FORMAT = 1
"""Counts up when the folders change, so that old ones are made anew."""


def unpack(file: Path, folder: Path) -> None:
    """Writes the model of a GGUF file into a folder, as `from_pretrained` reads it.

    Weights are unpacked to single precision, which takes half a minute for SmolLM2-135M and 0.5 GB.
    Beside `model.safetensors` and `config.json` there are the tokenizer and its chat template.

    Args:
        file: The GGUF file; it has to come from somebody who is trusted.
        folder: The folder.

    Raises:
        ConfigError: A package that reads GGUF is not installed.
    """
    check_installed(("gguf", "accelerate"), what="run.encoder.name")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, utils

    utils.logging.disable_progress_bar()
    named = {"gguf_file": file.name, "trust_remote_code": False}
    with LOADING, silent_gguf(), without_weights():
        # Told to unpack: else Transformers may look for kernels, which it would fetch and run.
        packed = AutoModelForCausalLM.from_pretrained(
            file.parent,
            **named,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),
        )
        # A model that was read from GGUF refuses to be saved: its weights go into another one.
        plain = type(packed)(packed.config)
        plain.load_state_dict(packed.state_dict())
    plain.generation_config = packed.generation_config
    plain.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(file.parent, **named)
    _split_digits(tokenizer.backend_tokenizer, file)
    tokenizer.model_max_length = plain.config.max_position_embeddings
    tokenizer.save_pretrained(folder)


def _split_digits(tokenizer: "Tokenizer", file: Path) -> None:
    """Has a tokenizer take digits one by one, where the model was trained so.

    The file names the rule that cuts texts into words; Transformers reads all rules of byte-level
    tokenizers as that of GPT-2. "smollm" also cuts around each digit (`llama-vocab.cpp` of
    llama.cpp), which shows in the spaces before a number.
    """
    from tokenizers import pre_tokenizers

    if gguf_facts(file).get("tokenizer.ggml.pre") == "smollm":
        digits = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, tokenizer.pre_tokenizer])

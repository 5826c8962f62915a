"""Writing all replies of dialogues: what stands before them read once, against `generate` alone.

A model of the shape of SmolLM2-135M with random weights, which ends no text, so that both sides
write as many tokens; dialogues of random tokens with the lengths of MultiWOZ, each reply with all
turns before it as its prompt. Against it: Transformers' `generate` on batches of prompts of similar
length, padded on the left. One thread, bf16 where `auto` takes it; both sides run in turn.
"""

import statistics
import time

import numpy as np
import torch
from _harness import Row, with_precision, write
from tokenizers import Tokenizer, models
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from mtl_core.data.arrays import Ragged
from mtl_core.data.batching import make_batch
from mtl_core.data.prompt_rows import Prompts
from mtl_core.model.autocast import autocast
from mtl_core.model.writers.generating import ROWS, write_texts
from mtl_core.tasks.decoding.greedy import Greedy

DIALOGUES, REPLIES, TURN = 8, 7, 17
"""Of MultiWOZ: replies of a dialogue, and sub-words of a turn of either side."""
NEW, ROUNDS = 16, 3
WORDS = 49_152
SIZES = {
    "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9,
    "num_key_value_heads": 3, "intermediate_size": 1536, "max_position_embeddings": 2048,
    "vocab_size": WORDS, "tie_word_embeddings": True, "bos_token_id": None, "eos_token_id": None,
    "pad_token_id": 0,
}  # fmt: skip

Written = dict[int, list[int]]
"""Number of a prompt -> the tokens that were written behind it."""


def make_prompts() -> Prompts:
    """Returns the prompt of each reply of some dialogues."""
    generator, rows, of_row = np.random.default_rng(0), [], []
    for number in range(DIALOGUES):
        dialogue = generator.integers(1, WORDS, size=2 * REPLIES * TURN).tolist()
        # A reply stands behind a turn of the user.
        rows += [dialogue[: (2 * reply + 1) * TURN] for reply in range(REPLIES)]
        of_row += [number] * REPLIES
    return Prompts(Ragged.from_rows(rows), np.array(of_row))


def main() -> None:
    """Writes the replies with either."""
    options = with_precision()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **SIZES)).eval()
    words = models.WordLevel({"<pad>": 0, "<unk>": 1}, "<unk>")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(words), pad_token="<pad>")
    prompts = make_prompts()
    lengths = prompts.token_ids.lengths()

    def ours() -> Written:
        found: Written = {}
        for numbers in prompts.batches(most=ROWS):
            batch = make_batch(prompts.rows, numbers, pad_token_id=0)
            settings, seeds = Greedy(max_new_tokens=NEW), np.zeros(len(numbers), dtype=np.int64)
            texts = write_texts(model, tokenizer, batch, settings, seeds=seeds)
            found.update(zip(numbers.tolist(), texts, strict=True))
        return found

    def theirs() -> Written:
        found: Written = {}
        order = np.argsort(-lengths, kind="stable")
        for first in range(0, len(order), ROWS):
            numbers = order[first : first + ROWS]
            width = lengths[numbers].max()
            ids = torch.zeros(len(numbers), width, dtype=torch.int64)
            for row, number in enumerate(numbers):
                ids[row, width - lengths[number] :] = torch.from_numpy(
                    prompts.token_ids.row(number)
                )
            said = model.generate(
                ids, attention_mask=(ids > 0).long(), max_new_tokens=NEW, do_sample=False
            )
            found.update(zip(numbers.tolist(), said[:, width:].tolist(), strict=True))
        return found

    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    with torch.inference_mode(), autocast(torch.device("cpu"), options.precision):
        for _ in range(ROUNDS):
            for name, writes in (("ours", ours), ("theirs", theirs)):
                start = time.perf_counter()
                last = writes()
                times[name].append(time.perf_counter() - start)
                if name == "ours":
                    own = last
    same = sum(own[number] == last[number] for number in own) / len(own)
    mine, other = (statistics.median(found) for found in times.values())
    what = f"{len(prompts)} replies of {DIALOGUES} dialogues ({same:.0%} are the same texts)"
    row = Row.of(what, mine, other, "seconds", other / mine, None)
    write("dialogue_replies", [row], options.json, precision=options.precision)


if __name__ == "__main__":
    main()

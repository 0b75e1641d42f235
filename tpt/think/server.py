"""The engine that loads no model: any OpenAI-compatible server, which is sent several requests at once.

Where the server can (vLLM), token ids go in and the sampled ids come out, as with the other engines. Otherwise it is
sent the chat, to which it applies its own template, and its text is encoded again here; the manifest says which.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpt.artefacts import EngineDescription, Served
from tpt.errors import EngineError
from tpt.prompt import Decoder, encode_completion
from tpt.think.base import Completion, Draw, Prompt, Sampler, completed
from tpt.think.endpoint import CHAT, COMPLETIONS, Endpoints, answer_of_chat, look_at_all

if TYPE_CHECKING:
    from tpt.settings.model import ModelConfig
    from tpt.settings.sampler import SamplerConfig

SEQUENCES = 256  # in flight at each server
SEEDS = 2**31  # some servers take no larger seeds
IN_IDS = "token ids in, sampled token ids out"
IN_TEXT = (
    "text in, by the server's chat template, and text out, encoded again here: tokens may differ from those sampled"
)


def load() -> None:
    """Import the client, whose log would have a line for each request."""
    import openai  # noqa: F401  # for what it imports

    logging.getLogger("httpx2").setLevel(logging.WARNING)


def make(config: "SamplerConfig", model: "ModelConfig", model_dir: Path, context: int, seed: int) -> "ServerSampler":
    """The engine with a model, see `think.engines.make_sampler`; the server knows its context, and each sample's seed.

    Args:
        model_dir: a folder with the tokenizer that samples are encoded with; it may have no weights.
    """
    return ServerSampler(config, model, model_dir)


class ServerSampler(Sampler):
    """Samples from servers. Its event loop runs only while a caller waits for the next problem."""

    def __init__(self, config: "SamplerConfig", model: "ModelConfig", model_dir: Path) -> None:
        from transformers import AutoTokenizer

        load()
        self._tokenizer: Any = AutoTokenizer.from_pretrained(model_dir)
        self._decode, self._template = Decoder(self._tokenizer), dict(model.template)
        self._urls = list(config.urls)
        self._sequences = config.max_num_seqs or SEQUENCES * len(self._urls)
        self._loop = asyncio.new_event_loop()
        try:
            self._endpoints = Endpoints(config)
            own = None if model.source == "server" else self._tokenizer
            self._served: Served = self._loop.run_until_complete(look_at_all(self._endpoints, config, model.path, own))
        except BaseException:
            self.close()
            raise

    def describe(self) -> EngineDescription:
        """See `Sampler.describe`."""
        import openai

        served = self._served
        found: EngineDescription = {
            "engine": "server",
            "version": f"vllm {served['version']}" if served["version"] else f"openai {openai.__version__} (client)",
            "device": ", ".join(self._urls),
            "dtype": "the server's",
            "rows": self._sequences,
            "way": IN_IDS if served["ids"] else IN_TEXT,
            "served": served["model"],
            "determinism": "each sample has its own seed, and the server decides what that promises",
        }
        if not served["ids"]:
            found["encoded_again"] = True
        return found

    def close(self) -> None:
        """See `Sampler.close`."""
        if self._loop.is_closed():
            return
        if hasattr(self, "_endpoints"):
            self._loop.run_until_complete(self._endpoints.close())
        self._loop.close()

    def sample(self, prompts: Iterable[Prompt], draw: Draw) -> Iterator[tuple[Prompt, list[Completion]]]:
        """See `Sampler.sample`."""
        waiting = iter(prompts)
        room = max(1, self._sequences // draw.n)
        in_flight: set[asyncio.Task[tuple[Prompt, list[Completion]]]] = set()
        try:
            while True:
                for prompt in islice(waiting, room - len(in_flight)):
                    in_flight.add(self._loop.create_task(self._problem(prompt, draw)))
                if not in_flight:
                    return
                finished, in_flight = self._loop.run_until_complete(
                    asyncio.wait(in_flight, return_when=asyncio.FIRST_COMPLETED)
                )
                for task in finished:
                    yield task.result()
        finally:
            for task in in_flight:
                task.cancel()
            if in_flight:
                self._loop.run_until_complete(asyncio.gather(*in_flight, return_exceptions=True))

    async def _problem(self, prompt: Prompt, draw: Draw) -> tuple[Prompt, list[Completion]]:
        if self._served["ids"]:
            return prompt, await self._by_ids(prompt, draw)
        # One request for each: few servers give several samples, and only so does each have its own seed everywhere.
        samples = (self._by_text(prompt, draw, index) for index in range(draw.n))
        return prompt, list(await asyncio.gather(*samples))

    async def _by_ids(self, prompt: Prompt, draw: Draw) -> list[Completion]:
        body = {
            **self._drawn(draw),
            "prompt": prompt.ids,
            "n": draw.n,
            **self._seed(draw, prompt.seed),  # vLLM gives sample i the seed + i
            "stop_token_ids": list(draw.end_ids),
            "ignore_eos": True,  # end_ids are complete, including the model's own end token
            "skip_special_tokens": False,  # a stop string may be one, see `Decoder.cut`
            "return_token_ids": True,
        }
        answer = await self._endpoints.ask(COMPLETIONS, body, f"the prompt of {prompt.key}")
        try:
            choices = sorted(answer["choices"], key=lambda one: int(one["index"]))
            found = [completed(list(one["token_ids"]), draw, self._decode) for one in choices]
        except (LookupError, TypeError, ValueError) as error:
            raise EngineError("the server no longer gives token ids", "see its log; restart it as it was") from error
        if len(found) != draw.n:
            raise EngineError(f"the server gave {len(found)} samples of {prompt.key}, not {draw.n}", "see its log")
        return found

    async def _by_text(self, prompt: Prompt, draw: Draw, index: int) -> Completion:
        seed = self._seed(draw, (prompt.seed + index) % SEEDS)
        body = {**self._drawn(draw), **seed, "messages": list(prompt.chat)}
        if self._template:  # as vLLM and SGLang take them
            body["chat_template_kwargs"] = self._template
        answer = await self._endpoints.ask(CHAT, body, f"the prompt of {prompt.key}")
        text, reason = answer_of_chat(answer)
        ids = encode_completion(text, self._tokenizer, draw.end_ids[0])
        return Completion(ids, text, "stop") if reason == "stop" else Completion(ids[:-1], text, "length")

    def _drawn(self, draw: Draw) -> dict[str, Any]:
        return {
            "model": self._served["model"],
            "temperature": draw.temperature,
            "top_p": draw.top_p,
            "max_tokens": draw.max_tokens,
            **({"stop": list(draw.stop)} if draw.stop else {}),
            **({"top_k": draw.top_k} if draw.top_k else {}),  # these two are no part of OpenAI's interface
            **({"min_p": draw.min_p} if draw.min_p else {}),
        }

    @staticmethod
    def _seed(draw: Draw, seed: int) -> dict[str, int]:
        return {"seed": seed} if draw.temperature else {}

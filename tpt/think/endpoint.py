"""Requests to OpenAI-compatible servers: several that serve one model, and errors that say what to do.

The client of the package `openai` repeats a request that was refused for its rate, cut off or not answered, after
growing pauses or as long as the server says. A server that still does not answer is left out, and the others go on.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from tpt.artefacts import Served
from tpt.errors import ConfigError, EngineError, ModelError, TptError, said
from tpt.settings.engine import key_of
from tpt.settings.sampler import SamplerConfig

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAIError
    from transformers import PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

# Digits, accents and spaces are where vocabularies differ.
TEXT = "In 1987 she paid £12.50 for 3 cafés'  menus:\n\tx²+1 = 10 ≠ 97,531!"
AGAIN = "then give the same command again: finished work is kept"
ADDRESS = "check sampler.urls: the address of an OpenAI-compatible API usually ends in /v1"
COMPLETIONS, CHAT = "/completions", "/chat/completions"


class Endpoints:
    """Servers of one model. Used within one event loop.

    Args:
        config: the addresses, the key's variable, and how patient to be.

    Raises:
        ConfigError: the key is not in the environment.
    """

    def __init__(self, config: SamplerConfig) -> None:
        from openai import AsyncOpenAI

        self._config = config
        self._key = key_of(config)
        # Without a key of ours, the client would send one that it finds in the environment to whatever server this is.
        self._clients = {
            url: AsyncOpenAI(
                base_url=url,
                api_key=self._key or "none",
                max_retries=config.retries,
                timeout=config.timeout_seconds,
            )
            for url in config.urls
        }
        self._busy: Counter[str] = Counter()
        self._live = set(config.urls)

    async def ask(self, path: str, body: Mapping[str, Any], what: str) -> dict[str, Any]:
        """Send a request to the server that has the fewest, and to another one if that does not answer.

        Args:
            path: after the address, e.g. `/completions`.
            body: the request as JSON.
            what: what is asked, in words, e.g. `the prompt of p7`.

        Raises:
            EngineError: no server answers.
            ConfigError, ModelError: one refuses.
        """
        while self._live:
            url = min(self._live, key=lambda one: self._busy[one])
            try:
                return await self.ask_one(url, path, body, what)
            except EngineError as error:
                self._live.discard(url)
                if not self._live:
                    raise
                logger.warning("%s; it is left out, and %d others go on", error.message, len(self._live))
        raise EngineError(f"no server answers any more: {', '.join(self._clients)}", f"see their logs; {AGAIN}")

    async def ask_one(self, url: str, path: str, body: Mapping[str, Any] | None, what: str) -> dict[str, Any]:
        """Send a request to one server; see `ask`.

        Args:
            body: None: it is a GET.
        """
        from openai import OpenAIError

        client = self._clients[url]
        self._busy[url] += 1
        try:
            if body is None:
                answer = await client.get(path, cast_to=object)
            else:
                answer = await client.post(path, cast_to=object, body=dict(body))
        except OpenAIError as error:
            raise self._explained(url, path, error, what) from error
        except ValueError as error:  # what came is no whole JSON
            raise self._no_api(url, path, said(error)) from error
        finally:
            self._busy[url] -= 1
        if not isinstance(answer, dict):
            raise self._no_api(url, path, str(answer))
        return answer

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            await client.close()

    def _explained(self, url: str, path: str, error: "OpenAIError", what: str) -> TptError:
        from openai import APIStatusError, APITimeoutError

        if isinstance(error, APITimeoutError):
            return EngineError(
                f"{url} has not answered within {self._config.timeout_seconds:g} s, {self._config.retries + 1} times",
                f"raise sampler.timeout_seconds, or send less at once: lower sampler.max_num_seqs; {AGAIN}",
            )
        if isinstance(error, APIStatusError):
            return self._refused(url, path, error, what)
        cause = error.__cause__ or error
        return EngineError(
            f"no whole answer comes from {url}: {self._hidden(said(cause))}",
            f"start the server, or correct sampler.urls; {AGAIN}",
        )

    def _refused(self, url: str, path: str, error: "APIStatusError", what: str) -> TptError:
        code, reason = error.status_code, self._hidden(_reason(error))
        if code in (401, 403):
            wants = f"check the key in ${self._config.key_env}" if self._key else "name the variable with the key"
            return ConfigError(f"{url} refuses the key: {reason}", f"{wants}: sampler.key_env=NAME")
        if code == 404:
            return ConfigError(f"{url} has no {path}, or not this model: {reason}", f"{ADDRESS}; or sampler.served")
        if code == 429:
            return EngineError(
                f"{url} limits the rate, after {self._config.retries + 1} attempts: {reason}",
                f"lower sampler.max_num_seqs, or raise sampler.retries; {AGAIN}",
            )
        if code >= 500:
            return EngineError(f"{url} fails ({code}): {reason}", f"see the server's log; {AGAIN}")
        return ModelError(
            f"{url} refuses {what} ({code}): {reason}",
            "see whether the server can do what the settings say (its context, n, seed)",
        )

    def _no_api(self, url: str, path: str, answer: str) -> EngineError:
        start = " ".join(self._hidden(answer).split())[:80]
        return EngineError(f"{url}{path} does not answer as OpenAI's API does, but: {start}", ADDRESS)

    def _hidden(self, text: str) -> str:
        """A server's words without the key, in case it repeats it."""
        return text.replace(self._key, "***") if self._key else text


def _reason(error: "APIStatusError") -> str:
    """What a server says of an error; its body may be JSON of any form, or a page."""
    body: Any = error.body
    for name in ("error", "message", "detail"):
        if isinstance(body, Mapping) and body.get(name):
            body = body[name]
    return said(ValueError(body if isinstance(body, str) else error.message))


async def look_at_all(endpoints: Endpoints, config: SamplerConfig, path: str, tokenizer: Any) -> Served:
    """What the servers offer, which must be the same of all; see `look`."""
    found = [await _look_at(endpoints, url, config, path, tokenizer) for url in config.urls]
    for url, other in zip(config.urls, found, strict=True):
        if (other["model"], other["ids"]) != (found[0]["model"], found[0]["ids"]):
            raise ConfigError(
                f"{config.urls[0]} and {url} do not serve the same: {_words(found[0])}, and {_words(other)}",
                "give only servers of one model in sampler.urls",
            )
    contexts = [one["context"] for one in found if one["context"]]
    return {**found[0], "context": min(contexts, default=None)}


def look(config: SamplerConfig, path: str, tokenizer: "PreTrainedTokenizerBase | None") -> Served:
    """Ask every server what it offers: which model, and whether it takes and gives token ids.

    Args:
        path: the model's path, by which a server may know it.
        tokenizer: the model's; None: it is not known here, so that text is exchanged.

    Raises:
        ConfigError: one refuses the key, does not list the model, or serves another one; or it gives no token ids, and
            `sampler.require_ids` needs them.
        EngineError: one does not answer, or not as OpenAI's API does.
        ModelError: its tokens are not the model's.
    """

    async def all_of_them() -> Served:
        endpoints = Endpoints(config)
        try:
            return await look_at_all(endpoints, config, path, tokenizer)
        finally:
            await endpoints.close()

    return asyncio.run(all_of_them())


def _words(one: Served) -> str:
    return f"{one['model']} with {'token ids' if one['ids'] else 'text'}"


async def _look_at(endpoints: Endpoints, url: str, config: SamplerConfig, path: str, tokenizer: Any) -> Served:
    model, context = _chosen(await _listed(endpoints, url, config), url, config.served, path)
    ids = False
    if tokenizer is not None and config.require_ids is not False:
        ids = await _speaks_ids(endpoints, url, model, tokenizer)
        if not ids and config.require_ids:
            raise ConfigError(
                f"{url} gives no token ids, and sampler.require_ids=true needs them",
                "vLLM from 0.10.2 on gives them; with sampler.require_ids=false text is exchanged and encoded again",
            )
    if not ids:
        body = {"model": model, "messages": [{"role": "user", "content": "Say 4."}], "max_tokens": 1}
        answer_of_chat(await endpoints.ask_one(url, CHAT, body, "a chat"), url)
    return {"model": model, "ids": ids, "context": context, "version": await _version(endpoints, url) if ids else ""}


async def _listed(endpoints: Endpoints, url: str, config: SamplerConfig) -> dict[str, int | None]:
    """The names of the models that a server lists, each with its context if the server says it."""
    try:
        answer = await endpoints.ask_one(url, "/models", None, "its list of models")
        return {str(one["id"]): one.get("max_model_len") for one in answer["data"]}
    except (KeyError, TypeError) as error:
        raise EngineError(f"{url}/models does not list models as OpenAI's API does", ADDRESS) from error
    except TptError:
        if not config.served:
            raise
        return {config.served: None}  # a gateway may list none; whether it answers is tried next


def _chosen(listed: dict[str, int | None], url: str, served: str | None, path: str) -> tuple[str, int | None]:
    """The name of the model on a server, and its context if that is known."""
    name = served or (path if path in listed or not listed else next(iter(listed)))
    if name not in listed or not (served or name == path or len(listed) == 1):
        raise ConfigError(
            f"{url} serves {', '.join(sorted(listed)) or 'no model'}, and not {served or path}",
            "name the one to sample from: sampler.served=",
        )
    return name, listed[name]


async def _speaks_ids(endpoints: Endpoints, url: str, model: str, tokenizer: Any) -> bool:
    """Whether a server takes and gives token ids.

    Raises:
        ModelError: it does, and encodes a text otherwise than the model's tokenizer.
    """
    ids = [int(one) for one in tokenizer.encode(TEXT, add_special_tokens=False)]
    asked = {"model": model, "max_tokens": 1, "return_token_ids": True, "add_special_tokens": False}
    try:
        by_text = await endpoints.ask_one(url, COMPLETIONS, asked | {"prompt": TEXT}, "a text")
        by_ids = await endpoints.ask_one(url, COMPLETIONS, asked | {"prompt": ids}, "token ids")
        theirs, echoed = (one["choices"][0].get("prompt_token_ids") for one in (by_text, by_ids))
        sampled = by_ids["choices"][0].get("token_ids")
    except (TptError, LookupError, TypeError, AttributeError):
        return False  # a server that fails for another reason will fail again
    if not (isinstance(theirs, list) and isinstance(sampled, list) and echoed == ids):
        return False
    if theirs != ids:
        raise ModelError(
            f"{url} encodes a text otherwise than the tokenizer of the model here: it serves another model",
            "name the model that it serves, or correct sampler.urls or sampler.served",
        )
    return True


async def _version(endpoints: Endpoints, url: str) -> str:
    """The version of vLLM, if that is what the server is."""
    try:
        answer = await endpoints.ask_one(url, urljoin(f"{url}/", "../version"), None, "its version")
    except TptError:
        return ""
    return str(answer.get("version", ""))


def answer_of_chat(answer: Mapping[str, Any], url: str = "the server") -> tuple[str, str]:
    """The text of a chat's answer, with the thinking that some servers keep apart, and why it ended.

    Raises:
        EngineError: it is no answer of a chat.
    """
    try:
        choice = answer["choices"][0]
        message = choice["message"]
        content, thinking = message.get("content"), message.get("reasoning_content") or message.get("reasoning")
    except (LookupError, TypeError, AttributeError) as error:
        raise EngineError(f"{url} does not answer a chat as OpenAI's API does", ADDRESS) from error
    text = content or ""
    return (f"<think>\n{thinking}\n</think>\n\n{text}" if thinking else text), str(choice.get("finish_reason"))

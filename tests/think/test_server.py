"""The engine that sends requests: to a small server that fails as servers do, and to vLLM's own."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai_server
import pytest
from openai_server import Script
from transformers import AutoTokenizer

from tpt import records
from tpt.artefacts import Prepared, Sampled
from tpt.cli import main
from tpt.cluster.graph import Job
from tpt.cluster.resources import gpus_per_node
from tpt.errors import ConfigError, EngineError, ModelError, TptError
from tpt.probe import has_vllm
from tpt.records import Example, Sample
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage
from tpt.settings.compose import compose
from tpt.settings.model import ModelConfig
from tpt.settings.sampler import SamplerConfig
from tpt.think.base import Completion, Draw, Prompt
from tpt.think.endpoint import answer_of_chat
from tpt.think.engines import make_sampler
from tpt.think.server import ServerSampler

MODEL = ModelConfig(name="tiny-random", source="random", dtype="float32")
END = 2
GREEDY = Draw(n=1, temperature=0.0, top_p=1.0, max_tokens=12, end_ids=(END,))
WARM = Draw(n=3, temperature=1.0, top_p=1.0, max_tokens=12, end_ids=(END,))
SERVED = ("+model@think.teacher=served", "think.teacher.path=tiny", "sampler=server", "sampler.student=transformers")


def prompts(count: int) -> list[Prompt]:
    rng = random.Random(0)
    return [
        Prompt(
            f"p{i}",
            [rng.randrange(3, 500) for _ in range(10 + i % 5)],
            100 * i,
            [{"role": "user", "content": f"What is {i} + {i}?"}],
        )
        for i in range(count)
    ]


def engine(folder: Path, *urls: str, model: ModelConfig = MODEL, **extra: Any) -> ServerSampler:
    config = SamplerConfig(engine="server", urls=list(urls), retries=1)
    for key, value in extra.items():
        setattr(config, key, value)
    return ServerSampler(config, model, folder)


def drawn(sampler: Any, draw: Draw, count: int = 6) -> dict[str, list[Completion]]:
    return {prompt.key: completions for prompt, completions in sampler.sample(prompts(count), draw)}


def in_words(folder: Path, count: int) -> list[Prompt]:
    """Prompts that are text: vLLM looks for stop strings in text, and random tokens may end within a character."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    return [replace(one, ids=tokenizer.encode(one.chat[0]["content"])) for one in prompts(count)]


def answers(sampler: Any, asked: list[Prompt], draw: Draw) -> Iterator[tuple[str, Completion]]:
    for prompt, [one] in sampler.sample(asked, draw):
        yield prompt.key, one


@pytest.fixture
def by_ids(tiny_model: Path) -> Script:
    """What a server does that takes and gives token ids."""
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    return Script(encode=lambda text: list(tokenizer.encode(text, add_special_tokens=False)))


# What is exchanged


def test_without_token_ids_the_chat_is_sent_and_the_text_encoded_again(tiny_model: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    script = Script(answer=lambda body: f"As asked: {body['messages'][-1]['content']}")
    with openai_server.serving(script) as url, engine(tiny_model, url) as sampler:
        found = drawn(sampler, WARM)
        said = sampler.describe()
    assert len(found) == 6
    for prompt in prompts(6):
        for one in found[prompt.key]:
            assert one.text == f"As asked: {prompt.chat[0]['content']}"
            assert one.ids == [*tokenizer.encode(one.text, add_special_tokens=False), END]
    seeds = [body["seed"] for body in script.asked if "seed" in body]
    assert sorted(seeds) == [prompt.seed + i for prompt in prompts(6) for i in range(3)]
    assert said["encoded_again"]
    assert "encoded again" in said["way"]


def test_token_ids_go_in_and_come_out_where_the_server_can(tiny_model: Path, by_ids: Script) -> None:
    with openai_server.serving(by_ids) as url, engine(tiny_model, url, require_ids=True) as sampler:
        found = drawn(sampler, WARM)
        said = sampler.describe()
    assert {key: [one.ids for one in three] for key, three in found.items()} == {
        one.key: [one.ids[-3:]] * 3 for one in prompts(6)
    }
    assert "encoded_again" not in said
    assert by_ids.asked[-1].keys() >= {"stop_token_ids", "ignore_eos", "seed", "n"}


def test_what_goes_beyond_openais_interface_is_sent_only_where_it_is_set(tiny_model: Path) -> None:
    script, more = Script(), {"top_k", "min_p", "stop", "chat_template_kwargs"}
    with openai_server.serving(script) as url, engine(tiny_model, url) as sampler:
        drawn(sampler, WARM, 1)
        assert not any(more & body.keys() for body in script.asked)
    model = replace(MODEL, template={"enable_thinking": False})
    with openai_server.serving(script) as url, engine(tiny_model, url, model=model) as sampler:
        drawn(sampler, replace(WARM, top_k=5, min_p=0.1, stop=("Q:",)), 1)
    wanted = {"top_k": 5, "min_p": 0.1, "stop": ["Q:"], "chat_template_kwargs": {"enable_thinking": False}}
    assert wanted.items() <= script.asked[-1].items()


def test_no_more_is_in_flight_than_allowed(tiny_model: Path) -> None:
    script = Script(seconds=0.02)
    with openai_server.serving(script) as url, engine(tiny_model, url, max_num_seqs=6) as sampler:
        assert len(drawn(sampler, WARM, 12)) == 12
    assert 3 <= script.most <= 6


def test_thinking_that_a_server_keeps_apart_stands_before_the_answer() -> None:
    message = {"content": "#### 4", "reasoning_content": "2 + 2"}
    answer = {"choices": [{"message": message, "finish_reason": "stop"}]}
    assert answer_of_chat(answer) == ("<think>\n2 + 2\n</think>\n\n#### 4", "stop")


# Servers that fail


@pytest.mark.parametrize("failing", [["rate"], ["cut"], ["error"], ["slow"]], ids=lambda one: one[0])
def test_a_request_that_fails_is_sent_again(failing: list[str], tiny_model: Path) -> None:
    script = Script()
    with openai_server.serving(script) as url, engine(tiny_model, url, timeout_seconds=1.0) as sampler:
        script.asked.clear()  # of what the server was asked first
        script.failing += failing
        started = time.monotonic()
        assert len(drawn(sampler, GREEDY, 1)) == 1
        took = time.monotonic() - started
    assert len(script.asked) == 2
    if failing == ["rate"]:
        assert took >= 1  # as long as the server said


@pytest.mark.parametrize(
    ("failure", "message", "hint"),
    [
        ("rate", "limits the rate", "sampler.max_num_seqs"),
        ("cut", "no whole answer comes from", "same command again"),
        ("error", r"fails \(500\): out of memory", "server's log"),
        ("slow", "has not answered within 0.2 s, 2 times", "sampler.timeout_seconds"),
        ("page", "does not answer as OpenAI's API does, but: <html>", "/v1"),
        ("garbled", "does not answer a chat as OpenAI's API does", "/v1"),
    ],
)
def test_one_that_goes_on_failing_is_named_with_what_to_do(
    failure: str, message: str, hint: str, tiny_model: Path
) -> None:
    script = Script()
    with openai_server.serving(script) as url, engine(tiny_model, url, timeout_seconds=0.2) as sampler:
        script.failing += [failure] * 50
        with pytest.raises(EngineError, match=message) as caught:
            drawn(sampler, GREEDY)
    assert hint in caught.value.hint


def test_servers_that_answer_go_on_without_one_that_is_gone(tiny_model: Path) -> None:
    with openai_server.serving(Script(seconds=0.01)) as lives:
        with openai_server.serving(Script(seconds=0.01)) as dies:
            sampler = engine(tiny_model, lives, dies, max_num_seqs=3, retries=0)
            found = sampler.sample(prompts(20), GREEDY)
            next(found)
        assert len(list(found)) == 19
    with pytest.raises(EngineError, match="no whole answer comes from"):
        drawn(sampler, GREEDY)
    sampler.close()


# Servers that are refused at once


@pytest.mark.parametrize(
    ("script", "settings", "kind", "message"),
    [
        (Script(), {"require_ids": True}, ConfigError, "gives no token ids, and sampler.require_ids=true"),
        (Script(encode=lambda text: [ord(one) for one in text]), {}, ModelError, "it serves another model"),
        (Script(models=("a", "b")), {}, ConfigError, "serves a, b, and not"),
        (Script(models=("a", "b")), {"served": "c"}, ConfigError, "serves a, b, and not c"),
        (Script(failing=["page"] * 9), {"require_ids": False}, EngineError, "does not answer as OpenAI's API does"),
        (Script(failing=["garbled"] * 9), {"require_ids": False}, EngineError, "does not answer a chat"),
        (Script(key="right"), {}, ConfigError, "refuses the key"),
    ],
    ids=["no ids", "other tokens", "which", "not there", "page", "garbled", "key"],
)
def test_what_cannot_be_sampled_from_is_refused_before_anything_is_sampled(
    script: Script, settings: dict[str, Any], kind: type[TptError], message: str, tiny_model: Path
) -> None:
    with openai_server.serving(script) as url, pytest.raises(kind, match=message) as caught:
        engine(tiny_model, url, **settings)
    assert caught.value.hint


def test_an_address_without_an_api_is_refused(tiny_model: Path) -> None:
    with openai_server.serving(Script()) as url, pytest.raises(ConfigError, match="has no /models") as caught:
        engine(tiny_model, url.removesuffix("/v1"))
    assert "/v1" in caught.value.hint


def test_servers_of_different_models_are_refused(tiny_model: Path) -> None:
    other = Script(models=("other",))
    with (
        openai_server.serving(Script()) as one,
        openai_server.serving(other) as two,
        pytest.raises(ConfigError, match="do not serve the same: tiny with text, and other with text"),
    ):
        engine(tiny_model, one, two)


def test_a_key_that_a_server_repeats_is_not_repeated(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "wrong-secret")
    with (
        openai_server.serving(Script(key="right")) as url,
        pytest.raises(ConfigError, match=r"refuses the key: wrong: Bearer \*\*\*"),
    ):
        engine(tiny_model, url, key_env="SOME_KEY")


def test_a_key_of_the_environment_is_sent_only_where_a_setting_says_so(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    with openai_server.serving(Script(key="right")) as url:
        with pytest.raises(ConfigError, match="refuses the key"):
            engine(tiny_model, url)
        engine(tiny_model, url, key_env="OPENAI_API_KEY").close()


# Settings


URL = "sampler.urls=[http://localhost:1/v1]"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["sampler=server", "rounds=0"], "needs the address of a server"),
        (["sampler=server", URL, "rounds=1"], "would not have the checkpoints of its rounds"),
        (["sampler=server", URL, "rounds=auto"], "would not have the checkpoints of its rounds"),
        (["sampler=transformers", URL], "sampler.urls needs a server to sample from"),
        (["sampler=transformers", "+model@think.teacher=served"], "think.teacher.source=server needs a server"),
        ([*SERVED, URL, "+think.teacher.template_file=mine.jinja"], "writes prompts in its own chat template"),
        (["model=served", "sampler=server", URL, "rounds=0"], "only a teacher can be a model of which nothing is here"),
        ([*SERVED, URL, "sampler.require_ids=true"], "needs the teacher's tokenizer"),
        ([*SERVED, "sampler.urls=[localhost:8000]"], "sampler.urls="),
        ([*SERVED, "sampler.urls=['http://me:secret@host/v1']"], "sampler.urls="),
        ([*SERVED, URL, "sampler.key_env=sk-abc"], "sampler.key_env=sk-abc is not allowed"),
        ([*SERVED, URL, "sampler.key_env=NO_SUCH_KEY"], "there is no such environment variable"),
    ],
)
def test_settings_that_a_server_cannot_fulfil_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        compose(["experiment=smoke", *overrides])
    assert caught.value.hint


def test_a_job_that_sends_requests_asks_for_no_gpu() -> None:
    config = compose([*SERVED, URL, "cluster=slurm", "model=gemma2-2b", "task=gsm8k"])
    thinks, evaluates = (Job(one, Stage(1, one), one, sampling=True) for one in ("think", "evaluate"))
    assert gpus_per_node(config, thinks) == 0
    assert gpus_per_node(config, evaluates) == config.sampler.tensor_parallel


# A whole run


@pytest.mark.slow
def test_a_run_with_a_served_teacher_survives_its_server_and_keeps_the_key_to_itself(
    tiny_command: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    warm_imports: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in (warm_imports | {"TEACHERS_KEY": "sk-very-secret"}).items():
        monkeypatch.setenv(name, value)
    script = Script(key="sk-very-secret")
    with openai_server.serving(script) as url:
        words = [*SERVED, f"sampler.urls=[{url}]", "sampler.key_env=TEACHERS_KEY", "sampler.max_num_seqs=2"]
        words += ["rounds=1", "prune=none", "sampler.retries=0", "sampler.shard_size=2", "think.samples_per_problem=2"]
        # Whoever asks first only looks; then each problem is asked twice, so that the third shard fails.
        script.failing += ["", "", *[""] * 9, *["error"] * 5]
        assert main(tiny_command(*words)) == 1
        assert "fails (500)" in capsys.readouterr().err
        [root] = find(tmp_path / "runs")
        run = Run.open(root)
        before = {path: path.stat().st_mtime_ns for path in records.shards(run.folder(Stage(1, "think")), "samples")}
        assert before
        script.failing.clear()
        assert main(tiny_command(*words)) == 0
    run = Run.open(root)
    assert not run.owed()
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())  # none is sampled again
    prepared = run.results(Stage(0, "prepare"), Prepared)
    assert prepared["served"] == {"model": "tiny", "ids": False, "context": None, "version": ""}
    assert run.results(Stage(1, "think"), Sampled)["engines"][0]["encoded_again"]
    assert run.results(Stage(1, "evaluate"), Sampled)["engines"][0]["engine"] == "transformers"
    examples = list(records.read(run.folder(Stage(1, "prune")) / "examples.parquet", Example))
    assert {one.text for one in examples} == {"Four.\n#### 4"}
    assert "as text" in (root / "report" / "table.md").read_text()
    holds = [path for path in tmp_path.rglob("*") if path.is_file() and b"very-secret" in path.read_bytes()]
    assert not holds


@pytest.mark.slow
def test_tokens_of_the_base_model_on_a_server_are_trained_on_as_they_were_sampled(
    tiny_command: Callable[..., list[str]],
    tmp_path: Path,
    by_ids: Script,
    monkeypatch: pytest.MonkeyPatch,
    warm_imports: dict[str, str],
) -> None:
    for name, value in warm_imports.items():
        monkeypatch.setenv(name, value)
    words = ["+model@think.teacher=tiny-random", "sampler=server", "sampler.student=transformers", "rounds=1"]
    with openai_server.serving(by_ids) as url:
        assert main(tiny_command(*words, "prune=none", "prune.keep_cut_off=true", f"sampler.urls=[{url}]")) == 0
    [root] = find(tmp_path / "runs")
    examples = list(records.read(Run.open(root).folder(Stage(1, "prune")) / "examples.parquet", Example))
    assert examples
    assert all(one.completion_ids == one.prompt_ids[-3:] for one in examples)  # what this server samples


# vLLM's own server


@pytest.fixture(scope="module")
def vllm_server(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address and the process of one with the tiny model, for all tests: it takes a minute to start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = f"--port {port} --host 127.0.0.1 --served-model-name tiny --dtype float32 --max-model-len 512 "
    # Without chunked prefill, since vLLM's CPU engine dies if a seeded prompt is split.
    words += "--enforce-eager --no-enable-chunked-prefill --max-num-batched-tokens 4096 --max-num-seqs 32 "
    words += "--generation-config vllm"
    log = tmp_path_factory.mktemp("vllm") / "log"
    own = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            # Not `vllm serve`, which needs the package to be called vllm and not vllm-cpu.
            [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(tiny_model), *words.split()],
            env={**os.environ, **own},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1", process
    finally:
        _kill(process)


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"vLLM's server did not start: {log.read_text()[-2000:]}")


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


NEEDS_VLLM = pytest.mark.skipif(not has_vllm(), reason="vLLM is not installed")


@pytest.mark.slow
@NEEDS_VLLM
def test_vllms_server_gives_the_tokens_that_the_model_itself_gives(
    vllm_server: tuple[str, Any], tiny_model: Path
) -> None:
    url, _ = vllm_server
    with make_sampler(SamplerConfig(engine="transformers"), MODEL, tiny_model, 512, seed=0) as here:
        ours = drawn(here, GREEDY, 20)
    with engine(tiny_model, url, require_ids=True) as there:
        theirs = drawn(there, GREEDY, 20)
        warm = drawn(there, WARM, 20)
        assert drawn(there, WARM, 20) == warm
        assert "vllm" in there.describe()["version"]
        texts = in_words(tiny_model, 20)
        whole, stopped = (dict(answers(there, texts, draw)) for draw in (GREEDY, replace(GREEDY, stop=("e",))))
        with pytest.raises(ModelError, match=r"the prompt of long .*context length is 512"):
            list(there.sample([Prompt("long", [5] * 600, 0)], GREEDY))
        ends = Draw(n=2, temperature=1.5, top_p=1.0, max_tokens=60, end_ids=(END, *range(5, 30)))
        for completions in drawn(there, ends, 20).values():
            for one in completions:
                assert (one.finish_reason == "stop") == (one.ids[-1] in ends.end_ids)
                assert not any(token in ends.end_ids for token in one.ids[:-1])
    assert sum(ours[key][0].ids == theirs[key][0].ids for key in ours) >= 18  # two near-equal logits
    assert any(one.finish_reason == "stop_string" for one in stopped.values())
    assert not any("e" in one.text for one in stopped.values())
    assert sum(one.text == whole[key].text.partition("e")[0] for key, one in stopped.items()) >= 18
    assert all(len({tuple(one.ids) for one in three}) == 3 for three in warm.values())


@pytest.mark.slow
@NEEDS_VLLM
def test_vllms_server_evaluates_a_base_model_and_the_report_tells_ids_from_text(
    vllm_server: tuple[str, Any],
    tiny_command: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    warm_imports: dict[str, str],
) -> None:
    for name, value in warm_imports.items():
        monkeypatch.setenv(name, value)
    words = ["sampler=server", f"sampler.urls=[{vllm_server[0]}]", "rounds=0"]
    runs = []
    for ids in ("true", "false"):
        assert main(tiny_command(*words, f"sampler.require_ids={ids}", f"run_root={tmp_path / ids}")) == 0
        runs += [Run.open(root) for root in find(tmp_path / ids)]
    by_ids, by_text = runs
    assert [one.results(Stage(0, "prepare"), Prepared)["served"]["ids"] for one in runs] == [True, False]
    assert "as text" not in (by_ids.root / "report" / "table.md").read_text()
    assert "as text" in (by_text.root / "report" / "table.md").read_text()
    assert by_ids.fingerprint(Stage(0, "evaluate")) != by_text.fingerprint(Stage(0, "evaluate"))
    samples = list(records.read(records.shards(by_ids.folder(Stage(0, "evaluate")), "samples"), Sample))
    assert {len(one.completion_ids) for one in samples} <= set(range(1, by_ids.config.evaluate.max_tokens + 1))


@pytest.mark.slow
@NEEDS_VLLM
def test_a_vllm_server_that_is_killed_while_it_samples_is_said_to_be_gone(
    vllm_server: tuple[str, "subprocess.Popen[bytes]"], tiny_model: Path
) -> None:
    """The last test: no other finds the server alive."""
    url, process = vllm_server
    with engine(tiny_model, url, max_num_seqs=3) as sampler:
        found = sampler.sample(prompts(200), Draw(n=3, temperature=1.0, top_p=1.0, max_tokens=400, end_ids=(END,)))
        next(found)
        _kill(process)
        with pytest.raises(EngineError, match="no whole answer comes from") as caught:
            list(found)
    assert "finished work is kept" in caught.value.hint

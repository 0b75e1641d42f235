"""From files and overrides to a config: texts as they are typed, sweeps, paths, and a folder of the user's own."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from tpt.cli import main
from tpt.errors import ConfigError
from tpt.settings import names, overrides
from tpt.settings.compose import compose
from tpt.settings.config import Config
from tpt.settings.names import choices
from tpt.settings.overrides import expand_sweep

MODEL = "name: mine\npath: some/where\nlearning_rate: 2e-5\n"
GLOBAL = "# @package _global_\n"
STRANGE = 'it\'s ü, a~ [1]{2}(3) = #4 $5 $x %20 &; "q" \\'  # all that a name of a folder may hold

Folder = Callable[..., Path]


def composed(*given: str, own: Path | None = None) -> Config:
    return compose([*given, "sampler.engine=transformers"], own)


def refused(*given: str, own: Path | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        composed(*given, own=own)
    return caught.value


def read(override: str) -> Any:
    """The value that Hydra gets of an override."""
    found = overrides.single(override, overrides.Names.of())
    return OverridesParser.create().parse_override(found.hydras()).value()


@pytest.fixture
def own(tmp_path: Path) -> Folder:
    """Make a folder of a user's own configs from the names and contents of its files."""

    def make(**files: str | bytes) -> Path:
        for name, text in files.items():
            path = tmp_path / "own" / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / "own"

    return make


# Overrides


TYPED = (
    *("~/runs", "/tmp/Übung", "it's", "a b", "a#b", "a=b", "a[1]", "[a]", "{a: 1}", "a{b}", "a(b)", "a&b;c", 'a"b'),
    *("$A/b", "a\\b", "1e-5", "007", "2026", "true", "nan", "a:b", "<a>", "!"),
)


@pytest.mark.parametrize("text", TYPED)
def test_a_path_is_the_text_that_was_typed(text: str) -> None:
    assert str(read(f"model.path={text}")) == text
    assert str(read(f"run_root={text}")) == text


def test_a_text_in_quotes_that_do_not_match_is_shown_as_it_is_to_be_typed() -> None:
    with pytest.raises(ConfigError, match="the quotes do not match") as caught:
        read("run_root='/home/it's/runs'")
    [shown] = shlex.split(caught.value.hint.removeprefix("write "))
    assert read(shown) == "/home/it's/runs"


def test_a_folder_that_yaml_takes_for_a_number_is_a_folder() -> None:
    assert composed("run_root=2026", "model.path=true").run_root == "2026"


def test_what_the_grammar_reads_keeps_its_meaning() -> None:
    assert read("model.path='a,b'") == "a,b"
    assert read("model.path=a\\,b") == "a,b"
    assert read("cluster.partition=null") is None
    assert read("prune.threshold=0.5") == 0.5
    assert read("evaluate.ks=[1,2]") == [1, 2]
    assert read("cluster.train.extra={exclude: node7}") == {"exclude": "node7"}
    assert read("cluster.train.extra.exclude=node[1-3]") == "node[1-3]"


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_a_quoted_text_is_read_as_just_that_text(text: str) -> None:
    assert OverridesParser.create().parse_override(f"key={overrides.quoted(text)}").value() == text


def test_a_quoted_path_stands_for_just_that_path() -> None:
    assert composed(f"model.path={overrides.quoted_path(Path('/a') / STRANGE)}").model.path == f"/a/{STRANGE}"


@pytest.mark.parametrize("key", ["rounds", "task", "model", "model.name", "train.epochs", "cluster.setup"])
def test_no_setting_can_be_taken_out(key: str) -> None:
    for error in (refused(f"~{key}"), refused(f"~{key}=1")):
        assert "no setting can be taken out" in error.message
        assert f"{key}=VALUE" in error.hint
    with pytest.raises(ConfigError, match="no setting can be taken out"):
        list(expand_sweep([f"~{key}"]))


@pytest.mark.parametrize(
    ("override", "message", "hint"),
    [
        ("", "'' is not an override", "KEY=VALUE"),
        ("=3", "'=3' is not an override", "KEY=VALUE"),
        ("rounds", "'rounds' is not an override", "KEY=VALUE"),
        ("choice(1,2)", "'choice(1,2)' is not an override", "KEY=VALUE"),
        ("~rouns", "unknown setting 'rouns'", "rounds"),
        ("xyzzy.zzzz=1", "unknown setting 'xyzzy.zzzz'", "`tpt config`"),
        ("hydra.run.dir=x", "hydra.run.dir", "--config-dir"),
        ("model=", "model= names nothing", "gemma2-2b"),
        ("model=[]", "model=[] names nothing", "gemma2-2b"),
        ("model=null", "unknown model 'null'", "gemma2-2b"),
        ("model=7", "unknown model '7'", "gemma2-2b"),
        ("model=it's", "unknown model 'it's'", "gemma2-2b"),
        ("train={epochs: 2}", "train={epochs: 2} is not a name in train", "train.KEY=VALUE"),
        ("model@think.teacher=gemma2-2b", "model@think.teacher", "+model@think.teacher"),
        ("rounds=foo(1)", "rounds=foo(1) cannot be read: rounds is a whole number", ""),
        ("rounds=2;", "rounds is a whole number", ""),
        ("train.learning_rate=~", "train.learning_rate is a number", ""),
        ("seed=010", "seed=010 is not a whole number", ""),
        ("seed=true", "seed=True is not a whole number", ""),
        ("rounds=null", "rounds=null is not a whole number", ""),
        ("run_root=", "run_root is empty", "run_root=."),
        ("run_root=null", "run_root=null is not a text", ""),
        ("train=8", "unknown train '8'", "full"),
        ("think=3", "think is a group of settings", "think."),
        ("think=[1]", "think=[1]: Cannot merge", ""),
        ("train.lora=8", "train.lora is a group of settings", "train.lora.rank"),
        ("cluster.setup=ls", "cluster.setup=ls is not a list", "cluster.setup=[ls]"),
        ("evaluate.ks=3", "evaluate.ks=3 is not a list", "evaluate.ks=[3]"),
        ("evaluate.ks=[a]", "evaluate.ks[0]=a is not a whole number", ""),
        ("train.epochs=[1]", "train.epochs=[1] is not a whole number", ""),
        ("train.epochs=null", "train.epochs is null, and must be a whole number", ""),
        ("train.learning_rate=yes", "train.learning_rate=yes is not a number", ""),
        ("model.name=true", "model.name=True is not a text", "quotes"),
        (f"seed={10**20}", f"seed={10**20} is too large", ""),
        (f"train.epochs={10**20}", f"train.epochs={10**20} is too large", ""),
        pytest.param(f"seed={'9' * 5000}", "seed is a whole number", "", id="digits"),
        pytest.param(f"evaluate.ks={'[' * 3000}", "evaluate.ks is a list", "", id="brackets"),
        ("train.learning_rate=1e999", "train.learning_rate=inf is not a finite number", ""),
        ("seed=${oc.env:NOT_THERE}", "seed: there is no environment variable NOT_THERE", "${oc.env:NOT_THERE,VALUE}"),
        ("run_root=${HOME}/x", "run_root: Interpolation key 'HOME' not found", "$NAME in a path"),
        ("rounds=${rounds}", "rounds: Recursive interpolation", ""),
        ("run_root=${", "run_root='${'", ""),
    ],
)
def test_a_wrong_override_is_refused_in_words(override: str, message: str, hint: str) -> None:
    error = refused(override)
    assert message in error.message
    assert hint in error.hint
    assert "++" not in str(error)


def test_a_plus_is_no_matter_where_the_setting_has_a_value() -> None:
    assert composed("+rounds=3", "+train.epochs=2", "+think.temperature=0.5").rounds == 3


def test_a_list_of_texts_that_the_grammar_does_not_read_is_shown_quoted() -> None:
    error = refused("cluster.setup=[module load cuda; ls,export A='b c']")
    (shown,) = shlex.split(error.hint.partition(": ")[2])
    assert composed(shown).cluster.setup == ["module load cuda; ls", "export A='b c'"]


# Sweeps


@pytest.mark.parametrize("override", ["rounds=1,2", "model=gemma2-2b,gemma2-9b", "rounds=range(1,3)", "model=glob(*)"])
def test_several_values_need_m(override: str) -> None:
    error = refused(override)
    assert error.message == f"{override} stands for several values"
    assert shlex.split(error.hint.partition(": ")[2])[:4] == ["tpt", "run", "-m", override]


@pytest.mark.parametrize("path", ["a,b", "Übung, 2", "it's,x", 'a","b'])
def test_a_path_with_a_comma_is_shown_quoted(path: str) -> None:
    shown = shlex.split(refused(f"model.path={path}").hint.rpartition("as one text: ")[2])[0]
    assert read(shown) == path


def test_a_list_with_commas_alone_is_shown_as_one() -> None:
    assert refused("evaluate.ks=1,2").hint.endswith("'evaluate.ks=[1,2]'")


def points(*given: str, own: Path | None = None) -> list[list[str]]:
    return list(expand_sweep(given, own))


def test_glob_finds_the_models_that_come_along_and_the_users_own(own: Folder) -> None:
    folder = own(model__mine=MODEL)
    assert points("model=glob([gemma2*,m*],exclude=*9b)", own=folder) == [["model=gemma2-2b"], ["model=mine"]]
    assert len(points("model=glob(*)")) == len(choices("model"))
    assert choices("model", folder) == sorted([*choices("model"), "mine"])
    (named,) = points("model=glob(x*)", own=own(**{"model__x's, ü": MODEL}))
    assert overrides.single(named[0], overrides.Names.of()).chosen == ["x's, ü"]


def test_the_values_of_a_sweep_may_be_ranges_choices_and_texts_of_any_kind() -> None:
    assert points("rounds=range(1,3)") == [["rounds=1"], ["rounds=2"]]
    assert points("rounds=choice(1,2)", "seed=0") == [["rounds=1", "seed=0"], ["rounds=2", "seed=0"]]
    assert points("evaluate.ks=[1],[1,2]") == [["evaluate.ks=[1]"], ["evaluate.ks=[1,2]"]]
    assert points("run_root=1e-5,007") == [["run_root=1e-5"], ["run_root=007"]]
    paths = [read(point) for (point,) in points("model.path=~/a, Übung 'x' ,'b,c',[d,e]~,$F/g")]
    assert paths == ["~/a", "Übung 'x'", "b,c", "[d,e]~", "$F/g"]


@pytest.mark.parametrize(
    ("override", "message", "hint"),
    [
        ("train.learning_rate=interval(0.1,1)", "needs an optimiser", "train.learning_rate=A,B"),
        ("seed=shuffle(1,2,3)", "a new order each time", "in the order you want"),
        ("evaluate.ks=shuffle([1,2])", "a new order each time", "in the order you want"),
        ("seed=glob(*)", "glob() is for groups", "seed=A,B"),
        ("model=glob(x*)", "stands for no value", "gemma2-2b"),
        ("seed=range(3,1)", "stands for no value", ""),
        ("seed=range(1,2,0)", "must not be zero", ""),
        ("think.temperature=range(0.1,1,0)", "Invalid range", ""),
        ("seed=range(0,1000000000)", "more than 10,000 runs", ""),
        ("seed=range(0,1000) rounds=range(0,1000)", "more than 10,000 runs", ""),
        ("nope=glob(*)", "unknown setting 'nope'", ""),
        ("rounds=1,2,", "cannot be read", ""),
    ],
)
def test_a_sweep_whose_values_cannot_be_told_is_refused(override: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        points(*override.split())
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_the_command_knows_the_users_own_configs_in_a_sweep(own: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder = own(prune__mine="mode: none\n", prune__minor="mode: ground_truth\n")
    command = ["run", "-m", "--dry-run", "experiment=smoke", "prune=glob(min*)", "sampler.engine=transformers"]
    assert main([*command, f"run_root={folder / 'runs'}", "--config-dir", str(folder)]) == 0
    assert capsys.readouterr().out.count("prepare") >= 2
    assert main([*command, "prune=glob(nor*)"]) == 1


def test_a_command_with_a_wrong_override_prints_the_message_alone(
    own: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = own(model__mine="name: x\n\ty: z\n")
    for wrong in ("~rounds", "rounds=1,2", "model=mine"):
        assert main(["config", wrong, "--config-dir", str(folder)]) == 1
        said = "".join(capsys.readouterr())
        assert "error" in said
        assert len(said.splitlines()) <= 2


# Paths and the environment


def test_home_and_the_environment_are_known_in_paths_alone(own: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SCRATCH", "/scratch/ü b")
    folder = own(model__mine="name: mine\npath: $SCRATCH/m\nlearning_rate: 1e-5\n")
    config = composed(
        *("model=mine", "task=gsm8k", "+model@think.teacher=mine", "think.teacher.path=$SCRATCH/$$t"),
        *("run_root=~/runs", "task.path=$SCRATCH/q", "tracker.project=$SCRATCH", "cluster.setup=['cd $SCRATCH/~']"),
        own=folder,
    )
    assert config.think.teacher is not None
    assert (config.model.path, config.think.teacher.path) == ("/scratch/ü b/m", "/scratch/ü b/$t")
    assert (config.run_root, config.task.path) == ("/home/me/runs", "/scratch/ü b/q")  # type: ignore[attr-defined]
    assert (config.tracker.project, config.cluster.setup) == ("$SCRATCH", ["cd $SCRATCH/~"])
    assert composed("run_root=${oc.env:SCRATCH}/x").run_root == "/scratch/ü b/x"


def test_a_path_with_a_variable_or_a_user_that_there_is_not_is_refused() -> None:
    error = refused("run_root=$NOT_THERE/x")
    assert error.message == "run_root=$NOT_THERE/x: there is no environment variable NOT_THERE"
    assert "$$" in error.hint
    assert refused("model.path=~nobody-here/x").message == "model.path=~nobody-here/x: there is no user nobody-here"


def test_the_environment_gives_numbers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEVEN", "7")
    config = composed("seed=${oc.env:SEVEN}", "rounds=${oc.decode:${oc.env:SEVEN}}", "train.epochs=${oc.env:SEVEN}")
    assert (config.seed, config.rounds, config.train.epochs) == (7, 7, 7)
    monkeypatch.setenv("SEVEN", "seven")
    assert refused("seed=${oc.env:SEVEN}").message == "seed=seven is not a whole number"


# A folder of the user's own


def test_the_folder_of_own_configs_may_have_any_name(own: Folder, tmp_path: Path) -> None:
    strange = tmp_path / f"${{x}} {STRANGE}"
    strange.mkdir()
    folder = own(**{"model__mine": MODEL, "model__it's, ü": MODEL}).rename(strange / "own")
    assert composed("model=mine", own=folder).model.path == "some/where"
    assert composed("model='it\\'s, ü'", own=folder).model.path == "some/where"


def test_the_nearest_of_the_users_own_names_is_in_the_hint_and_a_torn_neighbour_in_no_ones_way(own: Folder) -> None:
    folder = own(model__mine=MODEL, model__torn="name:\n\tx", **{"model__other.yml": MODEL})
    assert composed("model=mine", own=folder).model.name == "mine"
    assert refused("model=mien", own=folder).hint == "did you mean 'mine'?"
    (folder / "model" / "mine.yaml").rename(folder / "model" / "theirs.yml")
    assert refused("model=theirs", own=folder).hint == "rename theirs.yml to theirs.yaml"


@pytest.mark.parametrize(
    ("place", "message", "hint"),
    [
        ("nope", "nope does not exist", "model/mine.yaml"),
        ("own/model/mine.yaml", "mine.yaml is a file", "model/mine.yaml"),
        ("own/model", "is a group itself", "own"),
        ("own/empty", "has none of the folders", "model/mine.yaml"),
        ("own/near", "has none of the folders", "did you mean 'model'?"),
    ],
)
def test_a_folder_without_configs_is_refused(own: Folder, place: str, message: str, hint: str) -> None:
    folder = own(model__mine=MODEL, near__models__mine=MODEL, empty__zzz__mine=MODEL)
    error = refused("rounds=3", own=folder.parent / place)
    assert message in error.message
    assert hint in error.hint
    with pytest.raises(ConfigError, match="--config-dir"):
        points("rounds=1,2", own=folder.parent / place)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("name: mine\n\tpath: x\n", "mine.yaml, line 2, column 1", "spaces"),
        ("name: mine\npath: x\nname: other\n", "mine.yaml, line 3: name is there twice, first in line 1", ""),
        ("name: [mine\n", "mine.yaml, line 2, column 1: while parsing a flow sequence", ""),
        ("name: mine\npath: *x\n", "mine.yaml, line 2, column 7: found undefined alias", ""),
        ("name: mine\n---\nname: x\n", "mine.yaml, line 2, column 1: expected a single document", ""),
        ("name: mine\npath: !x y\n", "mine.yaml, line 2, column 7: could not determine a constructor", ""),
        ("name: mine\n? [a]\n: b\n", "mine.yaml, line 2: the key of a setting must be a name", ""),
        ("name: a\npath: m\u00fcde\n".encode("latin-1"), "mine.yaml, line 2: byte 0xfc is not UTF-8", "as UTF-8"),
        (MODEL.encode("utf-16"), "mine.yaml, line 1: byte 0xff is not UTF-8", "as UTF-8"),
        ("name: mine\npath: \0\n", "mine.yaml, line 2: character U+0000", ""),
        ("- a\n", "mine.yaml holds no settings, but a list", "KEY: VALUE"),
        ("just words\n", "mine.yaml holds no settings, but the text 'just words'", "KEY: VALUE"),
        (f"{MODEL}context: 010\n", "mine.yaml, line 4: context: 010 is another number in YAML", "leading zeros"),
        (f"{MODEL}context: 1:30\n", "mine.yaml, line 4: context: 1:30 is another number in YAML", "colons"),
        (f"model:\n  {MODEL}", "mine.yaml would set model.model", "# @package _global_"),
        (f"# mine\n{GLOBAL}model:\n  name: x\n", "mine.yaml would set model.model", "its first line"),
        (f"\ufeff{GLOBAL}model:\n  name: x\n", "mine.yaml begins with a byte order mark", "without one"),
        ("defaults: 3\n", "defaults must be a list", ""),
        (f"{MODEL}nme: x\n", "unknown setting 'model.nme'", "model.name"),
        ("name: no\npath: x\nlearning_rate: 1\n", "model.name=False is not a text", "quotes"),
        ("name: mine\npath: [x]\nlearning_rate: 1\n", "model.path=['x'] is not a text", ""),
        ("name: mine\npath:\nlearning_rate: 1\n", "model.path is null, and must be a text", ""),
        ("name: mine\npath: x\nlearning_rate: yes\n", "model.learning_rate=True is not a number", ""),
        ("name: mine\npath: x\nlearning_rate: .nan\n", "model.learning_rate=nan is not a finite number", ""),
        ("", "train.learning_rate is model.learning_rate, which has no value", "model.learning_rate="),
    ],
)
def test_a_wrong_file_is_named_with_its_line(own: Folder, text: str | bytes, message: str, hint: str) -> None:
    error = refused("model=mine", own=own(model__mine=text))
    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("rounds: 3\n", "mine.yaml would set experiment.rounds", "# @package _global_"),
        ("stuff: 3\n", "mine.yaml would set experiment.stuff", "# @package _global_"),
        (f"{GLOBAL}defaults:\n  - override /model: torn\n", "torn.yaml, line 2, column 1", "spaces"),
        (f"{GLOBAL}defaults:\n  - override /model: trn\n", "unknown model 'trn'", "did you mean 'torn'?"),
        (f"{GLOBAL}roundz: 3\n", "unknown setting 'roundz'", "rounds"),
        (f"{GLOBAL}stop: 0\n", "stop is a group of settings", "stop."),
        (f"{GLOBAL}train: 8\n", "train is a group of settings", "train."),
        (f"{GLOBAL}task: null\n", "task=None is not a group of settings", "task=word_problems"),
        (f"{GLOBAL}seed: 2024-01-01\n", "seed=2024-01-01 is not a whole number", ""),
        (f"{GLOBAL}run_root: [x]\n", "run_root=['x'] is not a text", ""),
    ],
)
def test_a_wrong_experiment_is_refused_by_name(own: Folder, text: str, message: str, hint: str) -> None:
    error = refused("experiment=mine", own=own(experiment__mine=text, model__torn="name: x\n\tpath: y\n"))
    assert message in error.message
    assert hint in error.hint


def test_an_experiment_of_ones_own_may_say_numbers_as_yaml_has_them(own: Folder) -> None:
    text = f"{GLOBAL}rounds: 3\nseed: '7'\nrun_root: 2026\ntrain:\n  learning_rate: 1e-5\n"
    config = composed("experiment=mine", own=own(experiment__mine=text))
    assert (config.rounds, config.seed, config.run_root, config.train.learning_rate) == (3, 7, "2026", 1e-5)


def test_a_config_that_has_the_name_of_a_shipped_one_is_not_passed_over_in_silence(own: Folder) -> None:
    folder = own(model__mine=MODEL, **{"model__smollm2-135m": MODEL})
    for chosen in (["model=smollm2-135m"], []):
        error = refused(*chosen, own=folder)
        assert "smollm2-135m.yaml has the name of a config that comes with tpt" in error.message
    assert composed("model=mine", own=folder).model.name == "mine"
    assert composed(own=names.conf_dir()).rounds == 2


def test_what_is_a_path_is_known() -> None:
    assert {key for key, one in names.settings().items() if one.path} == {
        *("run_root", "model.path", "think.teacher.path", "prune.from_run", "task.path", "sampler.python"),
        *("model.template_file", "think.teacher.template_file", "task.test_path", "task.code", "commands.NAME.program"),
    }

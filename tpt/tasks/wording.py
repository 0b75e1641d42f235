"""How problems are worded for a model that is shown no worked examples."""


def with_requirements(role: str, question: str, *requirements: str) -> str:
    """A prompt in the form of the paper's (arXiv 2504.18116, section B.4): role and task, problem, requirements.

    Args:
        role: who the model is, and what it is to do.
        requirements: of the answer, in order; they are numbered.
    """
    numbered = "\n".join(f"{number}. {one}" for number, one in enumerate(requirements, 1))
    return f"{role}\n\nProblem: {question}\n\nRequirements:\n{numbered}\n\nSolution:"

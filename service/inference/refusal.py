"""What is said to a client whose request cannot be inferred from: 400, as the protocol has it."""

from service.http.problems import Fault, Part, RequestRefused, summary


def refused(pointer: str, detail: str, part: Part = "body") -> RequestRefused:
    """The refusal of one place in the request."""
    faults = [Fault(pointer=pointer, part=part, detail=detail)]
    return RequestRefused(400, "invalid_inference", "The inference request is not valid", summary(faults), faults)

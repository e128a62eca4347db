"""What no JSON schema can say, for schemathesis: how whole numbers are written, that no part is named twice, and which host an address is of."""

import schemathesis


def whole(value):
    """JSON has one kind of number, and `3.0` is a whole one to a schema; clients write `3`."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {name: whole(item) for name, item in value.items()}
    return value


@schemathesis.hook
def before_call(context, case, kwargs):
    # An upload's link, `/by/...`, is taken for the address of a public file, `/{id}/{fileName}`, which is of another host.
    if case.path_parameters and case.path_parameters.get("id") == "by":
        case.path_parameters["id"] = "4e1e0e88-397a-4095-a467-4b0718e42ad6"
    case.body = whole(case.body)
    parts = case.body.get("parts") if isinstance(case.body, dict) else None
    if isinstance(parts, list) and all(isinstance(part, dict) for part in parts):
        named = {}
        for part in parts:
            named.setdefault(repr(part.get("partNumber")), part)
        case.body["parts"] = list(named.values())

import pytest

from flatminima.errors import DamagedFileError
from flatminima.measurements.measurement import as_records, from_records
from flatminima.storage import canonical_json


def test_records_are_json_and_come_back(measurements):
    records = as_records(measurements)
    canonical_json(records)
    assert from_records(records, "m.json") == measurements
    with pytest.raises(DamagedFileError, match=r"m\.json: not a file of measurements"):
        from_records({"a": {"value": 1, "colour": "red"}}, "m.json")

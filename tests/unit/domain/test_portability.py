"""A file under the names of HTCDS: what is in it, what never is, and that our import reads it."""

from __future__ import annotations

import json

from casevault.domain.importing.htcds import default_mapping
from casevault.domain.rights import portability

EVENT = {
    "type": "Exploitation",
    "exploitation": ["ForcedLabour", "Servitude"],
    "country": "IT",
    "started": "2025-03",
    "account": "Made-up words",
}
IDENTITY = {
    "name_to_use": "Ondine",
    "names": [{"given": "Ondine", "family": "Obvious-Madeup"}],
    "birth_year": 1990,
    "gender": "Feminine",
    "phones": ["+390000000001"],
    "safe_contact": {"who": "A made-up aunt"},
    "papers": [{"kind": "passport", "number": "X-MADE-UP"}],
}
PROFILE = {
    "presenting_situation": "Made-up words",
    "risk_reasons": "Made-up words",
    "trafficking_status": "Victim",
    "history": [EVENT, {**EVENT, "country": "FR"}],
    "perpetrators": [{"described_as": "A made-up person", "present_danger": True}],
    "disability": {"seeing": "some"},
    "unlisted": True,
}


def test_our_own_import_reads_what_is_taken_along():
    """Names, codes, the first event: as they were."""
    record = portability.carried("CV-7K3M-9QXP", "Active", IDENTITY, PROFILE)
    line = portability.encoded(record)
    assert line.count(b"\n") == 1
    read = default_mapping(record).read(1, json.loads(line), "cas_CaseNumber")
    assert read.source_id == "CV-7K3M-9QXP"
    assert read.identity["names"] == IDENTITY["names"]
    assert read.identity["gender"] == "Feminine"
    assert read.profile["history"][0]["exploitation"] == EVENT["exploitation"]
    assert read.case["status"] == "Active"


def test_nothing_of_others_and_no_free_text_is_taken_along():
    """Also not inside of events; everything else is, under our own names where HTCDS has none."""
    record = portability.carried("CV-7K3M-9QXP", "Active", IDENTITY, PROFILE)
    text = portability.encoded(record).decode()
    assert "Made-up words" not in text
    assert "made-up" not in text
    own = record["casevault"]
    assert own["identity"]["birth_year"] == 1990
    assert own["identity"]["papers"] == IDENTITY["papers"]
    assert [one["country"] for one in own["profile"]["history"]] == ["IT", "FR"]
    assert own["profile"]["disability"] == {"seeing": "some"}
    assert own["profile"].keys() == {"trafficking_status", "history", "disability"}
    assert "identity.birth_year" in portability.field_names(record)


def test_who_has_one_name_only_has_it_as_the_first():
    """And of a part that was erased nothing is left to be taken along."""
    record = portability.carried("CV-7K3M-9QXP", "Active", {"name_to_use": "Ondine"}, {})
    assert record["prs_FirstName"] == "Ondine"
    assert "prs_SecondName" not in record
    empty = portability.carried("CV-7K3M-9QXP", "Closed", {}, {})
    assert empty.keys() == {"cas_CaseNumber", "cas_Status", "casevault"}

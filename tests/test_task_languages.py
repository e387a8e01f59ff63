"""Another language is another folder: German wording of four tasks."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from prompts import Facts, Fault, Quantity, load_task

WORDS = {
    "question": "{phrasing}\n{signal}",
    "pair_question": "{phrasing}\nErstes: {first}\nZweites: {second}",
    "class_separator": ", ",
    "list_separator": ", ",
    "list_last": " und ",
    "item_separator": "; ",
    "decimal": ",",
    "range": "{low} bis {high}",
    "range_to": "bis {high}",
    "range_from": "ab {low}",
    "levels": {"low": ["niedrig"], "normal": ["normal"], "high": ["hoch", "erhöht"]},
    "faults": {"flat": ["flach"], "clipped": ["übersteuert"], "missing": ["leer"], "noise": ["verrauscht"]},
    "ratings": {"valence": ["Valenz"], "arousal": ["Erregung"]},
    "sides": {"first": ["erste", "ersten"], "second": ["zweite", "zweiten"]},
    "one": {"Schläge pro Minute": "Schlag pro Minute"},
    "differences": {"Prozent": "Prozentpunkte"},
    "units": {"Schläge pro Minute": ["Schläge/min"]},
    "names": {
        "heart rate": "Herzfrequenz",
        "beats per minute": "Schläge pro Minute",
        "skin conductance level": "Hautleitwert",
        "microsiemens": "Mikrosiemens",
        "skin conductance": "Hautleitfähigkeit",
    },
}
EMOTION = {
    "system": [
        "Du liest Biosignale. Nenne den Zustand der Person. Klassen: {classes}.",
        "Lies die Biosignale und antworte mit einer der Klassen: {classes}.",
    ],
    "questions": [
        "Welche Emotion zeigt diese Aufnahme?",
        "In welchem Zustand ist die Person?",
        "Nenne den Zustand, den diese Signale zeigen.",
        "Wie fühlt sich diese Person?",
        "Welche Klasse passt zu dieser Aufnahme?",
        "Was sagen diese Biosignale über die Person?",
        "Lies die Signale und nenne die Klasse.",
        "Welche der Klassen ist es?",
        "Ordne diesen Abschnitt ein.",
        "Welcher Zustand liegt hier vor?",
        "Welchen Zustand siehst du in diesem Fenster?",
        "Was hat die Person gerade erlebt?",
    ],
    "answers": [
        "Die Aufnahme zeigt {label}.",
        "Der Zustand ist {label}.",
        "Am ehesten passt {label}.",
        "Ich lese hier {label}.",
    ],
}
AFFECT = {
    "system": [
        "Du liest Biosignale. Bewerte Valenz und Erregung von {low} bis {high}.",
        "Bewerte nach den Biosignalen Valenz und Erregung, jeweils von {low} bis {high}.",
    ],
    "questions": [
        "Bewerte Valenz und Erregung.",
        "Wie angenehm und wie aufgeregt ist das Gefühl?",
        "Welche Valenz und welche Erregung zeigen diese Signale?",
        "Gib Valenz und Erregung an.",
        "Wie hat die Person Valenz und Erregung bewertet?",
        "Schätze Valenz und Erregung aus diesen Signalen.",
        "Was hätte die Person angegeben?",
        "Nenne Zahlen für Valenz und Erregung.",
        "Lies Valenz und Erregung aus diesem Abschnitt.",
        "Wie positiv und wie stark ist das Gefühl?",
        "Welche Bewertung passt zu diesem Fenster?",
        "Wo liegen Valenz und Erregung?",
    ],
    "questions_one": [
        "Bewerte {name}.",
        "Welche {name} zeigen diese Signale?",
        "Wie hoch ist hier die {name}?",
        "Schätze die {name}.",
        "Gib die {name} an.",
        "Wo liegt die {name}?",
    ],
    "answers": [
        "Die Valenz ist {valence}, die Erregung {arousal}.",
        "Valenz {valence} und Erregung {arousal}.",
        "Ich bewerte die Valenz mit {valence} und die Erregung mit {arousal}.",
        "Die Signale passen zu einer Valenz von {valence} und einer Erregung von {arousal}.",
    ],
    "answers_one": [
        "Die {name} ist {value}.",
        "Ich bewerte die {name} mit {value}.",
        "Die {name} liegt bei {value}.",
        "Die Signale passen zu der {name} {value}.",
    ],
}
DESCRIBE = {
    "system": [
        "Du liest Biosignale. Gib Messwerte mit Einheiten an.",
        "Beschreibe Biosignale in Messwerten, und welche niedrig, normal oder hoch sind.",
    ],
    "questions": [
        "Beschreibe diese Aufnahme in Messwerten.",
        "Was wurde hier gemessen?",
        "Welche Werte zeigt dieser Abschnitt?",
        "Gib die wichtigsten Werte an.",
        "Was messen die Signale?",
        "Beschreibe den Abschnitt.",
        "Fasse dieses Fenster in Zahlen zusammen.",
        "Welche Werte sind normal und welche nicht?",
        "Nenne die Messwerte mit Einheiten.",
        "Lies die Werte aus diesen Signalen.",
        "Was lässt sich in diesem Fenster messen?",
        "Wie liegen die Werte in ihrem Bereich?",
    ],
    "asked": "{name}",
    "questions_of": [
        "Gib an: {quantities}.",
        "Miss: {quantities}.",
        "Was misst du für {quantities}?",
        "Lies ab: {quantities}.",
        "Ich möchte wissen: {quantities}.",
        "Nenne für diesen Abschnitt: {quantities}.",
    ],
    "answers": [
        {"text": text, "item": f"{{name}} {{value}} ({{level}}, {{range}}){end}", "plain": "{name} {value}"}
        for text, end in [
            ("{items}.", ""),
            ("Gemessen: {items}.", ""),
            ("Der Abschnitt zeigt {items}.", ""),
            ("Messwerte: {items}.", " in diesem Fenster"),
        ]
    ],
}
QUALITY = {
    "system": ["Du prüfst Biosignale auf Störungen.", "Nenne gestörte Kanäle, oder dass alles sauber ist."],
    "questions": [
        "Ist das Signal sauber?",
        "Wie gut ist diese Aufnahme?",
        "Gibt es Störungen?",
        "Welche Kanäle sind gestört?",
        "Prüfe die Qualität dieser Signale.",
        "Ist auf diesen Abschnitt Verlass?",
        "Stimmt etwas mit den Kanälen nicht?",
        "Ist ein Sensor flach, übersteuert oder leer?",
        "Wie ist die Signalqualität?",
        "Suche Rauschen und Lücken.",
        "Nenne die Störungen mit ihrem Anteil.",
        "Ist dieses Fenster brauchbar?",
    ],
    "answers": [
        {"text": "Es gibt Störungen: {items}.", "item": "{channel} ist zu {share} Prozent {fault}"},
        {"text": "Nicht alles ist sauber: {items}.", "item": "{channel} {fault}, {share} Prozent"},
        {"text": "Gestört sind {items}.", "item": "{channel} ({fault}, {share} Prozent)"},
        {"text": "{items}.", "item": "{channel}: {share} Prozent {fault}"},
    ],
    "answers_clean": [
        "Das Signal ist sauber.",
        "Ich finde keine Störungen.",
        "Alle Kanäle sind sauber.",
        "Mit den Kanälen ist alles in Ordnung.",
    ],
}
FILES = {"words": WORDS, "emotion": EMOTION, "affect": AFFECT, "describe": DESCRIBE, "quality": QUALITY}


@pytest.fixture(scope="module")
def german(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("de")
    for name, content in FILES.items():
        text = yaml.safe_dump(content, allow_unicode=True)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


FACTS = Facts(
    signal="<|a|>",
    classes=("Ruhe", "Stress", "körperlicher Stress"),
    emotion="körperlicher Stress",
    valence=6.52,
    arousal=3.0,
    scale=(1, 9),
    quantities=(
        Quantity("heart_rate_mean", "heart rate", 104.3, "beats per minute", 60, 100, 0),
        Quantity("gsr_level", "skin conductance level", 3.256, "microsiemens", 0.5, 20, 2),
    ),
    faults=(Fault("skin conductance", "clipped", 0.3), Fault("EMG 2", "flat", 1.0)),
)


@pytest.mark.parametrize("name", [name for name in FILES if name != "words"])
def test_answers_in_another_language_are_read_back(german, name):
    task = load_task(name, german)
    said = set()
    for seed in range(60):
        ((question, answer),) = task.turns([FACTS], random.Random(seed))
        claimed, truth = task.parse(answer, [FACTS]), task.truth([FACTS])
        assert claimed, answer
        assert all(truth[key] == pytest.approx(value, abs=0.5) for key, value in claimed.items()
                   if not isinstance(value, str))  # fmt: skip
        assert all(truth[key] == value for key, value in claimed.items() if isinstance(value, str))
        assert "heart" not in question + answer
        said.add(answer)
    assert len(said) >= 4


def test_names_units_numbers_and_levels_are_those_of_the_language(german):
    task = load_task("describe", german).with_answer_forms(1)
    assert task.reply([FACTS], random.Random(0)) == (
        "Herzfrequenz 104 Schläge pro Minute (hoch, 60 bis 100); "
        "Hautleitwert 3,26 Mikrosiemens (normal, 0,50 bis 20,00)."
    )
    assert task.parse("Eine Herzfrequenz von 72 Schläge/min ist erhöht.", [FACTS]) == {
        "heart_rate_mean": 72,
        "heart_rate_mean.level": "high",
    }
    assert load_task("affect", german).parse("Die Valenz ist 6,5.", [FACTS]) == {"valence": 6.5}


def test_a_file_that_a_folder_lacks_is_named_with_the_shipped_one(german):
    with pytest.raises(ValueError, match=r"evidence.yaml: missing; task 'evidence' needs it, as in .*en"):
        load_task("evidence", german)

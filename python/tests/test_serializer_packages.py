"""Objects of pydantic, Pillow, pandas and polars in messages."""

import pandas
import polars
import pyarrow
import pydantic
import pytest
from PIL import Image

import penstock as ps
from penstock import _core, reference

SERIALIZER = _core.Serializer()


class Part(pydantic.BaseModel):
    name: str
    count: int = 1


class Order(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow", frozen=True)
    parts: list[Part]
    note: str | None = None
    _seen: int = 3

    @pydantic.field_validator("note")
    @classmethod
    def check(cls, note):
        CALLS.append(note)
        return note


CALLS = []


@pytest.mark.parametrize("serializer", [_core.Serializer([Part, Order]), reference.Serializer([Part, Order])])
def test_models(serializer):
    order = Order(parts=[Part(name="a"), Part(name="b", count=2)], note="n", colour="red")
    message = serializer.serialize({"order": order})
    CALLS.clear()
    back = serializer.deserialize(message)["order"]
    assert back == order and type(back.parts[1]) is Part and back.colour == "red" and back._seen == 3
    assert back.model_fields_set == order.model_fields_set and back.parts[0].model_fields_set == {"name"}
    assert back.model_dump() == order.model_dump()
    assert not CALLS  # no validator has run
    assert serializer.deserialize(serializer.serialize(Part(name="c"))) == Part(name="c")


def test_a_model_that_nobody_registered():
    with pytest.raises(ps.InvalidArgumentError, match="type=Part") as raised:
        ps.encode(Part(name="a"))
    assert "penstock.register_type(Part)" in raised.value.help
    ps.register_type(Part)
    data = ps.encode(Part(name="a", count=7))
    assert ps.decode(data) == Part(name="a", count=7)
    name = f"{__name__}.Part"
    for payload in ([{"name": "a"}, [], None], [{"name": "a", "count": 1}, ["name", "name"], None], {"name": "a"}):
        wrong = ps.encode({"$penstock": ["ext", name, payload]}).replace(b"\x82cmap\x81\x82i$penstock", b"", 1)
        with pytest.raises(ps.DataLossError, match=name):
            ps.decode(wrong)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I", "F", "LA", "I;16"])
def test_images(mode):
    image = Image.linear_gradient("L").resize((37, 21)).convert("RGB" if mode != "I;16" else "I").convert(mode)
    data = ps.encode(image)
    for back in (ps.decode(data), reference.decode(data), SERIALIZER.deserialize(SERIALIZER.serialize([image]))[0]):
        assert type(back) is Image.Image and back.mode == mode and back.size == image.size
        assert back.tobytes() == image.tobytes()
        if mode == "P":
            assert back.convert("RGB").tobytes() == image.convert("RGB").tobytes()
    assert reference.encode(image) == data


def test_an_opened_image_is_an_image(tmp_path):
    Image.new("RGB", (300, 200), "red").save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        back = SERIALIZER.deserialize(SERIALIZER.serialize(opened))
        assert type(back) is Image.Image and back.tobytes() == opened.tobytes()
    assert ps.decode(ps.encode(Image.new("L", (0, 5)))).size == (0, 5)


def test_frames_come_back_as_arrow_tables():
    for frame in (pandas.DataFrame({"a": [1, 2], "b": ["x", None]}), polars.DataFrame({"a": [1, 2], "b": ["x", None]})):
        back = SERIALIZER.deserialize(SERIALIZER.serialize(frame))
        assert isinstance(back, pyarrow.Table) and back["a"].to_pylist() == [1, 2] and back["b"].to_pylist() == ["x", None]
        assert SERIALIZER.serialize(frame) == ps.encode(frame) == reference.encode(frame)
    long = polars.DataFrame({"a": range(100_000)})
    back = SERIALIZER.deserialize(SERIALIZER.serialize(long))
    assert polars.from_arrow(back).equals(long)

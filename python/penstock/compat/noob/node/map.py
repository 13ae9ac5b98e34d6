"""Where noob keeps its map."""

from penstock.compat.noob.node.view import Map as Map

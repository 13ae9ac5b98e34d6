"""Where noob keeps its gather."""

from penstock.compat.noob.node.view import Gather as Gather

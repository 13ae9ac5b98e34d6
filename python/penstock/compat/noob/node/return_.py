"""Where noob keeps its return."""

from penstock.compat.noob.node.view import Return as Return

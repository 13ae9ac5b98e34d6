"""Where noob keeps its nested tubes."""

from penstock.compat.noob.node.view import TubeNode as TubeNode

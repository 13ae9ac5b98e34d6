"""noob's exceptions. Those that Penstock has too are both."""

from __future__ import annotations

from penstock import _errors


class NoobCoreError(Exception):
    """Base of everything."""


class SchedulerError(NoobCoreError):
    """About epochs."""


class EpochCompletedError(SchedulerError, ValueError):
    """The epoch is over and cannot be run again."""


class EpochExistsError(SchedulerError, ValueError):
    """The epoch is being run already."""


class NotAddedError(SchedulerError, ValueError):
    """The node is not part of the epoch."""


class AlreadyDoneError(SchedulerError, ValueError):
    """The node has run in the epoch."""


class SchedulerExhaustedError(SchedulerError, RuntimeError):
    """Every source that the results need has ended; `deinit` and `init` make the runner ask again."""


class NoobError(NoobCoreError):
    """Base of noob's own errors."""


class NoobWarning(UserWarning):
    """Base of noob's warnings."""


class ConfigError(NoobError):
    """About configuration."""


class ConfigWarning(NoobWarning):
    """About configuration."""


class StoreError(NoobError):
    """About the event store."""


class TubeError(NoobError):
    """About tubes."""


class RunnerError(NoobError):
    """About runners."""


class InputError(NoobError):
    """About inputs."""


class InputWarning(NoobWarning):
    """About inputs."""


class ConfigMismatchError(ConfigError, ValueError):
    """A configuration does not fit its model."""


class EntrypointImportWarning(ConfigWarning, ImportWarning):
    """An entry point of the group noob.add_sources cannot be used."""


class AlreadyRunningError(RunnerError, RuntimeError):
    """The runner is running."""


class InputMissingError(_errors.InputMissingError, InputError):
    """A required input was not given."""


class ExtraInputError(InputError, ValueError):
    """A value was given for an input the tube does not declare."""


class ExtraInputWarning(_errors.ExtraInputWarning, InputWarning, RuntimeWarning):
    """A value was given for an input the tube does not declare; it is ignored."""


class UnknownTubeError(_errors.NotFoundError, KeyError):
    """No file under the config sources has this ``noob_id``."""

    __str__ = _errors.Error.__str__

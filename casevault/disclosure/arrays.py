"""numpy, loaded when something is first counted: every worker loads the modules that use it.

Most workers never count anything, and it takes fifteen megabytes and half a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray as NDArray
else:

    class _Numpy:
        """Stands for the module; what was asked for once is found without this."""

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the module has
            import numpy

            found = getattr(numpy, name)
            setattr(self, name, found)
            return found

    np = _Numpy()

__all__ = ["np"]

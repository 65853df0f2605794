"""scikit-learn's checks of an estimator's parameters, with errors of readable length."""

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import InvalidParameterError

from skfer.exceptions import printable, shorten

_LONGEST = 500


class CheckedParametersMixin(BaseEstimator):
    """An estimator whose errors about parameters are short and plain, whatever was given.

    To be named before `BaseEstimator` among the bases.
    """

    def _validate_params(self) -> None:
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            raise InvalidParameterError(shorten(printable(str(error)), _LONGEST)) from None

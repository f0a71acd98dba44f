package box

import (
	"net/http"
	"strconv"
	"time"
)

// apiError is an answer of the API with Box's error body.
type apiError struct {
	status  int
	code    string
	message string
	context object        // context_info, nil for none
	retry   time.Duration // Retry-After, 0 for none
}

// Error gives the code and the message.
func (e *apiError) Error() string { return e.code + ": " + e.message }

func (e *apiError) body(requestID string) object {
	o := object{
		{"type", "error"}, {"status", e.status}, {"code", e.code},
	}
	if e.context != nil {
		o = append(o, member{"context_info", e.context})
	}
	return append(o, object{
		{"help_url", literal(`"http:\/\/developers.box.com\/docs\/#errors"`)}, {"message", e.message}, {"request_id", requestID},
	}...)
}

func fail(status int, code, message string) *apiError {
	return &apiError{status: status, code: code, message: message}
}

// errParameter is a 400 that names the offending parameter.
func errParameter(name, message string) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "bad_request", message: "Bad Request", context: parameterContext(name, message)}
}

func parameterContext(name, message string) object {
	return object{{"errors", []object{{{"reason", "invalid_parameter"}, {"name", name}, {"message", message}}}}}
}

// errNotFound says that an item is not there or not visible; Box does not tell which.
func errNotFound(k, id string) *apiError {
	prefix := map[string]string{"folder": "d_", "file": "f_", "web_link": "w_"}[k]
	e := fail(http.StatusNotFound, "not_found", "Not Found")
	value := prefix + id
	e.context = parameterContext(k, "Invalid value '"+value+"'. '"+k+"' with value '"+value+"' not found")
	return e
}

func errTrashed() *apiError { return fail(http.StatusNotFound, "trashed", "Item is trashed") }
func errForbidden() *apiError {
	return fail(http.StatusForbidden, "access_denied_insufficient_permissions", "Access denied - insufficient permission")
}
func errPolicy() *apiError {
	return fail(http.StatusForbidden, "forbidden_by_policy", "Access denied - forbidden by policy")
}
func errScope() *apiError {
	return fail(http.StatusForbidden, "insufficient_scope", "The request requires higher privileges than provided by the access token.")
}
func errMethod() *apiError {
	return fail(http.StatusMethodNotAllowed, "method_not_allowed", "Method Not Allowed")
}
func errBlocked() *apiError {
	return fail(http.StatusConflict, "operation_blocked_temporary", "The operation is blocked by another on-going operation")
}
func errPrecondition() *apiError {
	return fail(http.StatusPreconditionFailed, "precondition_failed", "The resource has been modified. Please retrieve the resource again and retry")
}
func errRate(retry time.Duration) *apiError {
	e := fail(http.StatusTooManyRequests, "rate_limit_exceeded", "Request rate limit exceeded, please try again later")
	e.retry = retry
	return e
}

// errInUse is the 409 for a name that is taken. Box gives the conflict as one object for files and as an array for
// folders.
func errInUse(it *item) *apiError {
	e := fail(http.StatusConflict, "item_name_in_use", "Item with the same name already exists")
	mini := object{{"type", it.kind.String()}, {"id", it.id()}, {"sequence_id", strconv.Itoa(it.etag)}, {"etag", strconv.Itoa(it.etag)}, {"name", it.name}}
	if it.kind == fileKind {
		sum, _ := it.current().content.sha1() // a conflict is worth telling even if the bytes are gone
		mini = append(mini, member{"sha1", sum}, member{"file_version", object{{"type", "file_version"}, {"id", numeral(it.current().num)}, {"sha1", sum}}})
		e.context = object{{"conflicts", mini}}
	} else {
		e.context = object{{"conflicts", []object{mini}}}
	}
	return e
}

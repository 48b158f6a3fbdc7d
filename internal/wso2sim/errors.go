package wso2sim

import (
	"errors"
	"fmt"
	"net/http"
)

// fault is an error as API Manager's REST APIs write it.
type fault struct {
	status, code         int
	message, description string
	details              []faultDetail
}

// faultDetail is one violation of a schema.
type faultDetail struct {
	Code        string  `json:"code"`
	Message     string  `json:"message"`
	Description *string `json:"description"`
}

func (f *fault) Error() string {
	return fmt.Sprintf("%d/%d %s: %s", f.status, f.code, f.message, f.description)
}

func (f *fault) write(w http.ResponseWriter) {
	writeJSON(w, f.status, object{
		"code": f.code, "message": f.message, "description": f.description, "moreInfo": "", "error": orEmpty(f.details),
	})
}

// The faults that several operations share.
var (
	errUnauthenticated = &fault{status: 401, code: 401, description: "Unauthenticated request"}
	errInternal        = &fault{status: 500, code: 500, message: "Internal server error",
		description: "The server encountered an internal error. Please contact administrator."}
	errGeneral    = &fault{status: 500, code: 900967, message: "General Error", description: "Server Error Occurred"}
	errNoTier     = &fault{status: 400, code: 900305, message: "The tier name is invalid.", description: "The tier name is invalid"}
	errKMUnknown  = &fault{status: 400, code: 901403, message: "Key Manager not Registered", description: "Key Manager not Registered"}
	errKMMissing  = &fault{status: 404, code: 901411, message: "Key Manager not Found", description: "Key Manager not found"}
	errKMConfig   = &fault{status: 400, code: 901401, message: "Required Key Manager configuration missing", description: "Missing required configuration"}
	errKeysExist  = &fault{status: 409, code: 901409, message: "Key Mappings already exists", description: "Key Mappings already exists"}
	errNameLength = &fault{status: 400, code: 900704, message: "Character length exceeds the allowable limit",
		description: "One of the provided input character length exceeds the allowable limit."}
)

func badRequest(description string) *fault {
	return &fault{status: 400, code: 400, message: "Bad Request", description: description}
}

func notFound(kind, id string) *fault {
	return &fault{status: 404, code: 404, message: "Not Found", description: fmt.Sprintf("Requested %s with Id '%s' not found", kind, id)}
}

func conflict(description string) *fault {
	return &fault{status: 409, code: 409, message: "Resource Already Exists", description: description}
}

// invalid is what bean validation says of one property.
func invalid(property, why string) *fault {
	return &fault{status: 400, code: 400, message: "Bad Request", description: "Validation Error",
		details: []faultDetail{{Code: "400_" + property, Message: property + ": " + why}}}
}

// asFault finds the fault in an error; whatever has none is an internal error.
func asFault(err error) *fault {
	var f *fault
	var unknown unknownProperty
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &unknown):
		return badRequest(unknown.Error())
	case errors.Is(err, errMalformed):
		return badRequest("Malformed request body.")
	}
	return errInternal
}

package objects

import (
	"context"
	"fmt"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
)

// Removal is what a person decides on before an object is deleted.
type Removal struct {
	plan.OwnedObject
	Title   string   // such as "application Shop"
	With    []string // what goes with it, and what stops working: one line for each
	Warning string   // why a person may not want that; "" if there is no such reason
	// Do deletes it; an object that is gone is no error. stays has what should have gone and has not: one line for each.
	Do func(context.Context) (stays []string, err error)
}

// refuse returns the error for a change that the servers would only half make.
func refuse(hint, format string, args ...any) error {
	return remedy.Add(bootstrap.Permanent(fmt.Errorf(format, args...)), "%s", hint)
}

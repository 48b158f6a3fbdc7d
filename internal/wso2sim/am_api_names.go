package wso2sim

import (
	"regexp"
	"strings"
)

// namePattern and versionPattern are those of the API's schema.
var (
	namePattern    = regexp.MustCompile(`(^[^~!@#;:%^*()+={}|\\<>"',&$\[\]/]*$)`)
	versionPattern = regexp.MustCompile(`^[^~!@#;:%^*()+={}|\\<>"',&/$\[\]\s]+$`)
	contextPattern = regexp.MustCompile(`^[a-zA-Z0-9_${}/.;()-]+$`)
	spaces         = regexp.MustCompile(` +`)
)

// checkSchema is bean validation, before anything looks at the values.
func (dto *apiDTO) checkSchema() error {
	for _, field := range []struct {
		name  string
		value *string
	}{{"name", dto.Name}, {"context", dto.Context}, {"version", dto.Version}} {
		if field.value == nil {
			return invalid(field.name, "must not be null")
		}
	}
	switch {
	case *dto.Name == "":
		return invalid("name", "size must be between 1 and 2147483647")
	case !namePattern.MatchString(*dto.Name):
		return invalid("name", `must match "`+namePattern.String()+`"`)
	case *dto.Context == "" || len(*dto.Context) > 232:
		return invalid("context", "size must be between 1 and 232")
	case !versionPattern.MatchString(*dto.Version):
		return invalid("version", `must match "`+versionPattern.String()+`"`)
	case len(value(dto.Description)) > maxDescription:
		return invalid("description", "size must be between 0 and 32766")
	}
	return nil
}

// checkNew is what only a new API has to pass: its name, version and context, in its own right and beside the others.
func (am *AM) checkNew(dto *apiDTO) error {
	dto.Name = ptr(spaces.ReplaceAllString(strings.TrimSpace(*dto.Name), " "))
	if err := checkContext(dto); err != nil {
		return err
	}
	if len(*dto.Name) > 60 || len(*dto.Version) > 30 {
		return errNameLength
	}
	for _, other := range am.lookup.beside(dto) {
		if err := dto.clash(other); err != nil {
			return err
		}
	}
	return nil
}

func checkContext(dto *apiDTO) error {
	malformed := func(why string) error {
		return &fault{status: 400, code: 900253, message: "The API context is malformed.",
			description: "'The API context is malformed. For API " + *dto.Name + ", context " + *dto.Context + " " + why + "'"}
	}
	switch c := *dto.Context; {
	case strings.HasSuffix(c, "/"):
		return malformed("cannot end with /")
	case !contextPattern.MatchString(c):
		return malformed("contains invalid characters")
	}
	if !strings.HasPrefix(*dto.Context, "/") {
		dto.Context = ptr("/" + *dto.Context)
	}
	return nil
}

// clash says whether another API is in the way of a new one.
func (dto *apiDTO) clash(other *api) error {
	exists := func(status, code int, message, description string) error {
		return &fault{status: status, code: code, message: message, description: description}
	}
	sameName, sameContext := other.name() == *dto.Name, strings.EqualFold(value(other.dto.Context), *dto.Context)
	switch {
	case sameName && other.version() == *dto.Version:
		return exists(409, 900300, "The API already exists.", "The API already exists")
	case sameName && !sameContext:
		return exists(400, 900977, "Block Condition Error", "API Context does not exist")
	case !sameName && strings.EqualFold(other.name(), *dto.Name):
		return exists(409, 900250, "The API name already exists.", "An API with name '"+*dto.Name+"' already exists")
	case !sameName && sameContext:
		return exists(409, 900251, "The API context already exists.", "An API with context '"+*dto.Context+"' already exists")
	}
	return nil
}

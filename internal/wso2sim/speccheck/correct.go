package speccheck

import (
	"encoding/json"
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
)

// correct mends what is known to be wrong in a specification itself.
func (a *api) correct() error {
	switch a.file {
	case "publisher-api.yaml", "devportal-api.yaml":
		schema, err := a.schema("API")
		if err != nil {
			return err
		}
		// An array of names, or ["all"], and not an object.
		schema.Properties["keyManagers"] = openapi3.NewArraySchema().WithItems(openapi3.NewStringSchema()).NewRef()
		if a.file == "publisher-api.yaml" {
			deploy := a.doc.Paths.Value("/apis/{apiId}/deploy-revision").Post
			deploy.Responses.Set("201", deploy.Responses.Value("200")) // which calls itself "Created"
			deploy.Responses.Delete("200")
		}
	case "gateway-api.yaml":
		health := a.doc.Paths.Value("/server-startup-healthcheck").Get
		health.Security = nil                           // names a scheme that the file does not have
		for _, status := range []string{"401", "404"} { // wrong credentials, and before the web application is there
			health.Responses.Set(status, &openapi3.ResponseRef{Value: openapi3.NewResponse()})
		}
	case "apim-dcr-v0.17.yaml":
		schema, err := a.schema("DCR")
		if err != nil {
			return err
		}
		schema.Properties["saasApp"] = openapi3.NewBoolSchema().NewRef()
	case "is-7.1-dcr-v1.1.yaml":
		for _, p := range a.doc.Paths.Value("/register").Get.Parameters {
			p.Value.In = openapi3.ParameterInQuery // "path", where the path has no parameter
		}
	case "is-7.1-scim2.yaml":
		a.eachContent(func(content openapi3.Content) {
			// The servers take the plain one as well, and the connector of API Manager sends it.
			if scim := content["application/scim+json"]; scim != nil {
				content["application/json"] = scim
			}
		})
	}
	a.eachContent(func(content openapi3.Content) {
		if form := content["multipart/form-data"]; form != nil && form.Schema != nil && form.Schema.Value.Type == nil {
			form.Schema.Value.Type = &openapi3.Types{openapi3.TypeObject} // forgotten beside the properties
		}
	})
	return nil
}

// eachContent visits the bodies of all requests and answers.
func (a *api) eachContent(visit func(openapi3.Content)) {
	for _, item := range a.doc.Paths.Map() {
		for _, op := range item.Operations() {
			if op.RequestBody != nil && op.RequestBody.Value != nil {
				visit(op.RequestBody.Value.Content)
			}
			for _, r := range op.Responses.Map() {
				if r.Value != nil && len(r.Value.Content) > 0 {
					visit(r.Value.Content)
				}
			}
		}
	}
}

func (a *api) schema(name string) (*openapi3.Schema, error) {
	ref := a.doc.Components.Schemas[name]
	if ref == nil || ref.Value == nil {
		return nil, fmt.Errorf("it has no schema %s", name)
	}
	return ref.Value, nil
}

// withoutNulls drops the fields of objects that are null. Both products write optional fields that have no value as
// null, in every answer, where the specifications do not allow for that.
func withoutNulls(body []byte) []byte {
	var tree any
	if json.Unmarshal(body, &tree) != nil {
		return body
	}
	return []byte(encode(drop(tree)))
}

func drop(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if value == nil {
				delete(v, name)
				continue
			}
			v[name] = drop(value)
		}
	case []any:
		for i := range v {
			v[i] = drop(v[i])
		}
	}
	return v
}

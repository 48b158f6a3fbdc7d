package wso2sim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

var (
	scopesDocumentView  = []string{"apim:api_view", "apim:api_manage", "apim:document_manage"}
	scopesDocumentWrite = []string{"apim:document_create", "apim:document_manage", "apim:api_manage"}
)

// document is one of an API. It is copied with the API.
type document struct {
	DTO         documentDTO
	ContentType string
	Content     []byte // nil until it was written
}

// documentDTO is a document as the Publisher reads and writes it.
type documentDTO struct {
	DocumentID      *string `json:"documentId"`
	Name            *string `json:"name"`
	Type            *string `json:"type" enum:"HOWTO|SAMPLES|PUBLIC_FORUM|SUPPORT_FORUM|API_MESSAGE_FORMAT|SWAGGER_DOC|OTHER" strict:""`
	Summary         *string `json:"summary"`
	SourceType      *string `json:"sourceType" enum:"INLINE|MARKDOWN|URL|FILE" strict:""`
	SourceURL       *string `json:"sourceUrl"`
	FileName        *string `json:"fileName"`
	InlineContent   *string `json:"inlineContent"` // dropped
	OtherTypeName   *string `json:"otherTypeName"`
	Visibility      *string `json:"visibility" enum:"OWNER_ONLY|PRIVATE|API_LEVEL" strict:""`
	CreatedTime     *string `json:"createdTime"`
	CreatedBy       *string `json:"createdBy"`
	LastUpdatedTime *string `json:"lastUpdatedTime"`
	LastUpdatedBy   *string `json:"lastUpdatedBy"`
}

func (am *AM) documentRoutes(mux *http.ServeMux) {
	all := publisherPath + "/apis/{id}/documents"
	handle := func(pattern string, scopes []string, op func(http.ResponseWriter, *http.Request, *api) error) {
		mux.HandleFunc(pattern, am.locked(scopes, am.withAPI(op)))
	}
	one := func(op func(http.ResponseWriter, *http.Request, *api, *document) error) func(http.ResponseWriter, *http.Request, *api) error {
		return func(w http.ResponseWriter, r *http.Request, a *api) error {
			for _, d := range a.documents {
				if *d.DTO.DocumentID == r.PathValue("document") {
					return op(w, r, a, d)
				}
			}
			return notFound("API", a.id()) // as the product says it of a document
		}
	}
	handle("GET "+all, scopesDocumentView, listDocuments)
	handle("POST "+all, scopesDocumentWrite, am.createDocument)
	handle("POST "+all+"/validate", scopesDocumentView, func(w http.ResponseWriter, r *http.Request, a *api) error {
		if a.documentNamed(r.URL.Query().Get("name")) == nil {
			w.WriteHeader(http.StatusNotFound)
			return nil
		}
		w.WriteHeader(http.StatusOK)
		return nil
	})
	handle("GET "+all+"/{document}", scopesDocumentView, one(func(w http.ResponseWriter, _ *http.Request, _ *api, d *document) error {
		writeJSON(w, http.StatusOK, d.DTO)
		return nil
	}))
	handle("PUT "+all+"/{document}", scopesDocumentWrite, one(am.updateDocument))
	handle("DELETE "+all+"/{document}", scopesDocumentWrite, one(func(w http.ResponseWriter, _ *http.Request, a *api, d *document) error {
		a.documents = slices.DeleteFunc(a.documents, func(other *document) bool { return other == d })
		am.changed("api", a.id())
		w.WriteHeader(http.StatusOK)
		return nil
	}))
	handle("GET "+all+"/{document}/content", scopesDocumentView, one(showContent))
	handle("POST "+all+"/{document}/content", scopesDocumentWrite, one(am.writeContent))
}

func (a *api) documentNamed(name string) *document {
	for _, d := range a.documents {
		if value(d.DTO.Name) == name {
			return d
		}
	}
	return nil
}

// copyDocuments are an API's documents for another version of it.
func (a *api) copyDocuments() []*document {
	var out []*document
	for _, d := range a.documents {
		made := *d
		made.DTO.DocumentID = ptr(newUUID())
		out = append(out, &made)
	}
	return out
}

// listDocuments sorts them by name.
func listDocuments(w http.ResponseWriter, r *http.Request, a *api) error {
	documents := slices.Clone(a.documents)
	slices.SortFunc(documents, func(x, y *document) int { return strings.Compare(value(x.DTO.Name), value(y.DTO.Name)) })
	list := []object{}
	for _, d := range documents {
		list = append(list, d.view())
	}
	writeJSON(w, http.StatusOK, subPage(list, "/apis/"+a.id()+"/documents", r))
	return nil
}

func (d *document) view() object {
	o := &d.DTO
	return object{
		"documentId": o.DocumentID, "name": o.Name, "type": o.Type, "summary": o.Summary, "sourceType": o.SourceType, "sourceUrl": o.SourceURL,
		"fileName": o.FileName, "inlineContent": nil, "otherTypeName": o.OtherTypeName, "visibility": o.Visibility,
		"createdTime": nil, "createdBy": nil, "lastUpdatedTime": nil, "lastUpdatedBy": nil,
	}
}

// noDocumentPath are the characters that the registry, in which API-M keeps documents under their names, refuses in a path
// (wso2/product-apim, issue 9682). API-M does not check them. It checks the slash, as recorded.
const noDocumentPath = "~!@#;%^*()+={}|\\<>\"',"

// readDocument reads a body and checks it as far as it stands alone.
func readDocument(r *http.Request) (documentDTO, error) {
	var dto documentDTO
	if err := readJSON(r, &dto); err != nil {
		return dto, err
	}
	for _, field := range []struct {
		name  string
		value *string
	}{{"name", dto.Name}, {"type", dto.Type}, {"sourceType", dto.SourceType}, {"visibility", dto.Visibility}} {
		if field.value == nil {
			return dto, invalid(field.name, "must not be null")
		}
	}
	missing := func(what string) error {
		return &fault{status: 400, code: 903245, message: "Parameter value missing",
			description: "Some of the mandatory parameter values were missing. " + what}
	}
	at, err := url.Parse(value(dto.SourceURL))
	switch {
	case strings.Contains(*dto.Name, "/"):
		return dto, &fault{status: 400, code: 902016, message: "Document name cannot contain illegal characters",
			description: "Document name contains one or more illegal characters"}
	case *dto.Type == "OTHER" && value(dto.OtherTypeName) == "":
		return dto, missing("otherTypeName cannot be empty if type is OTHER.")
	case *dto.SourceType == "URL" && (err != nil || at.Host == ""):
		return dto, missing("Invalid document sourceUrl Format")
	case dto.Summary == nil, strings.ContainsAny(*dto.Name, noDocumentPath):
		return dto, errGeneral
	}
	if *dto.SourceType != "URL" {
		dto.SourceURL = nil
	}
	dto.InlineContent = nil
	dto.CreatedTime, dto.CreatedBy, dto.LastUpdatedTime, dto.LastUpdatedBy = nil, nil, nil, nil
	return dto, nil
}

// written is a document in the answer to what has written it: without an address it has one blank.
func (d *document) written() documentDTO {
	dto := d.DTO
	if dto.SourceURL == nil {
		dto.SourceURL = ptr(" ")
	}
	return dto
}

func (am *AM) createDocument(w http.ResponseWriter, r *http.Request, a *api) error {
	dto, err := readDocument(r)
	if err != nil {
		return err
	}
	if a.documentNamed(*dto.Name) != nil {
		return &fault{status: 409, code: 900312, message: "Document already exists", description: "Document already exists"}
	}
	dto.DocumentID, dto.FileName = ptr(newUUID()), nil
	d := &document{DTO: dto}
	a.documents = append(a.documents, d)
	am.changed("api", a.id())
	w.Header().Set("Location", am.url(am.port)+"/api/am/publisher/apis/"+a.id()+"/documents/"+*dto.DocumentID)
	writeJSON(w, http.StatusCreated, d.written())
	return nil
}

// updateDocument changes everything but name and content.
func (am *AM) updateDocument(w http.ResponseWriter, r *http.Request, a *api, d *document) error {
	dto, err := readDocument(r)
	if err != nil {
		return err
	}
	dto.DocumentID, dto.Name, dto.FileName = d.DTO.DocumentID, d.DTO.Name, d.DTO.FileName
	d.DTO = dto
	am.changed("api", a.id())
	writeJSON(w, http.StatusOK, d.written())
	return nil
}

func showContent(w http.ResponseWriter, _ *http.Request, _ *api, d *document) error {
	if d.Content == nil {
		return notFound("documentation", *d.DTO.DocumentID)
	}
	w.Header().Set("Content-Type", d.ContentType)
	_, _ = w.Write(d.Content) // the client has gone; nobody is left to tell
	return nil
}

// writeContent takes a text for a document in line, and a file for one that is a file.
func (am *AM) writeContent(w http.ResponseWriter, r *http.Request, a *api, d *document) error {
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return badRequest("The body is no multipart form")
	}
	inline := slices.Contains([]string{"INLINE", "MARKDOWN"}, *d.DTO.SourceType)
	text, hasText := r.PostForm["inlineContent"]
	switch {
	case hasText && !inline:
		return badRequest("Source type of document " + *d.DTO.DocumentID + " is not INLINE or MARKDOWN")
	case hasText:
		d.ContentType, d.Content = "text/plain", []byte(text[0])
	default:
		content, err := formFile(r)
		if err != nil || *d.DTO.SourceType != "FILE" {
			return badRequest("Source type of document " + *d.DTO.DocumentID + " is not FILE")
		}
		header := r.MultipartForm.File["file"][0]
		d.ContentType, d.Content = header.Header.Get("Content-Type"), content
		d.DTO.FileName = ptr("/registry/resource/_system/governance/apimgt/applicationdata/provider/" + am.admin + "/" + a.name() + "/" +
			a.version() + "/documentation/files/" + header.Filename)
	}
	am.changed("api", a.id())
	w.Header().Set("Location", am.url(am.port)+"/api/am/publisher/apis/"+a.id()+"/documents/"+*d.DTO.DocumentID+"/content")
	writeJSON(w, http.StatusCreated, d.DTO)
	return nil
}

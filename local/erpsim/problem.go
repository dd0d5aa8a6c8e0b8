package erpsim

import "net/http"

// problem is an error of the ERP, in both of its languages: the code of its REST
// APIs and the exception type of its SOAP faults.
type problem struct {
	status    int    // HTTP, of REST; a SOAP fault has 500
	code      string // of REST, "Internal_RecordNotFound"
	exception string // of SOAP, without its namespace, "NavCSideRecordNotFoundException"
	message   string // in the language of the server
}

func (p *problem) Error() string { return p.code + ": " + p.message }

func badRequest(message string) *problem {
	return &problem{http.StatusBadRequest, "BadRequest", "NavNCLInvalidRequestException", message}
}

func notFound(message string) *problem {
	return &problem{http.StatusNotFound, "BadRequest_NotFound", "NavCSideRecordNotFoundException", message}
}

func noCompany(name string) *problem {
	return &problem{http.StatusNotFound, "Internal_CompanyNotFound", "NavCompanyNotFoundException", "The company \"" + name + "\" does not exist."}
}

func invalidCredentials() *problem {
	return &problem{http.StatusUnauthorized, "Authentication_InvalidCredentials", "", "The server has rejected the client credentials."}
}

func noPermission(what string) *problem {
	return &problem{http.StatusForbidden, "Authorization_RequestDenied", "NavPermissionException",
		"Sorry, the current permissions prevented the action. (TableData Dime DS Appointment " + what + ")"}
}

func entityChanged() *problem {
	return &problem{http.StatusConflict, "Request_EntityChanged", "NavCSideRecordChangedException",
		"Another user has already changed the record. Please refresh."}
}

func tooLong(name string) *problem {
	return &problem{http.StatusBadRequest, "Application_StringExceededLength", "NavNCLStringLengthExceededException",
		"The length of the string is too long for the field " + name + "."}
}

func wrongValue(name string) *problem {
	return &problem{http.StatusBadRequest, "Application_EvaluateException", "NavNCLEvaluateException",
		"The value can't be evaluated into the type of the field " + name + "."}
}

// locked is what a session gets that has waited too long for a record.
func locked(language string) *problem {
	p := &problem{status: http.StatusInternalServerError, code: "Internal_ServerError", exception: "NavCSideLockTimeoutException"}
	switch language {
	case "de":
		p.message = "Der Vorgang konnte nicht abgeschlossen werden, weil ein Datensatz in der Tabelle Dime DS Appointment von einem anderen Benutzer gesperrt wurde. Wiederholen Sie die Aktivität."
	default:
		p.message = "The operation could not complete because a record in the Dime DS Appointment table was locked by another user. Please retry the activity."
	}
	return p
}

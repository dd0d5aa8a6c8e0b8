// Package erpsim simulates Business Central as far as a connector of
// Dime.Scheduler sees it: the staging table into which every change of an
// appointment is written as a new row, the codeunit that works on these rows
// later, and the ways in: the REST API page, with the token endpoint of Entra
// in front of it, and on-premises addresses with user and password.
//
// A [Server] is an http.Handler for
//
//	/{tenant}/oauth2/v2.0/token                                  Entra
//	/v2.0/{tenant}/{environment}/api/{publisher}/{group}/{version}/...   REST, online
//	/{instance}/api/{publisher}/{group}/{version}/...                    REST, on-premises
//
//	/{instance}/WS/[{company}/]Page/{service}, .../Codeunit/{service}    SOAP, and its WSDL by GET
//	/{instance}/ODataV4/{service}_{procedure}?company=..., $metadata     unbound actions
//
// SOAP and OData answer at the online base too.
// Tests and the local world also reach into it as the person at the ERP would
// ([Server.Process], [Server.Archive], [Server.SetReject]) and as an inspector
// ([Server.Rows], [Server.Documents], [Server.Calls]).
//
// # Modelled on purpose
//
//   - A 2xx says that a row was stored, no more. Processing may fail later:
//     the row then has Status "Error" with a message, until somebody has it
//     processed again.
//   - The processing of the published AL samples: "I" makes a document per
//     resource without looking, so that a repeated insert doubles; "U" updates,
//     creates what is missing and removes what has no resource any more; "D"
//     removes. A row without resources is worked on as it stands.
//   - $metadata (EDMX) with types, lengths, enums and navigation properties;
//     deep insert as one transaction; insertion of children below Location.
//   - Code fields store capitals. Values longer than the field are refused.
//     $filter knows comparisons joined by "and", and refuses "or".
//   - Limits per user: requests worked on at a time (the rest wait), connections
//     (429), requests in five minutes (429 without Retry-After unless set).
//   - Tokens as JWT, with roles only after consent; AADSTS errors of the token
//     endpoint; 401 with Authentication_InvalidCredentials.
//   - SOAP: the page service with WSDL, Create, Update, Delete and ReadMultiple
//     (filters by equality, bookmark, size), elements in the order of the WSDL,
//     Keys that change with the row, Nav faults with HTTP 500; codeunits
//     ([Procedure]) by SOAP and as unbound actions.
//   - NTLMv2 ([WindowsAuth]), bound to the connection as NTLM is; a server that
//     takes Kerberos only; accounts that are locked after failures.
//   - Faults, see [FaultResponse]: errors in the ERP's shape, lock texts in two
//     languages, proxies' HTML, endless, truncated and no answers, redirects,
//     and all of them before or after the row was stored.
//
// # Guesses
//
// No public source has the names of the properties and parts, their types and
// lengths, nor the names of the Status column's members. All can be set in
// [Options]; a client has to read $metadata or the WSDL. The names of the SOAP
// parts, what the deserializer says of elements that it does not know
// (NavUnknownTypeException), and whether it minds their order are guesses. How a lock error is coded in REST
// (500, Internal_ServerError) and a missing permission (403,
// Authorization_RequestDenied) are guesses too. When the real processing runs
// is not known: here after Options.ProcessDelay, when somebody looks.
//
// # Not modelled
//
// Kerberos itself, Extended Protection; the MIC and signing of NTLM; filter
// expressions and the other operations of SOAP pages; XMLports.
// Permission sets other than reading and inserting; sandboxes, environments
// (any name will do); paging of lists; $expand on lists, $count, $search,
// delta; bound actions, webhooks; $batch; licence and entitlement checks;
// the gateway's own timeouts (a fault hook answers 504); time zones on-premises
// other than UTC; source types with different codeunits.
package erpsim

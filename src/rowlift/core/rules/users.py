"""Rules on the people who work here."""

from rowlift.core.rules.scopes import Rule

RULES = (
    Rule(
        "LOGIN_WRONG",
        "access",
        "The address or the password is wrong",
        "Try again, or let an admin set a new password: rowlift users password.",
    ),
    Rule(
        "LOGIN_THROTTLED",
        "access",
        "Too many failed logins",
        "Wait as long as it says, then try again.",
    ),
    Rule(
        "LOGIN_REFUSED",
        "access",
        "The issuer's login is not accepted",
        "Sign in again; an admin lets people in: rowlift users.",
    ),
    Rule(
        "LOCAL_LOGIN_OFF",
        "access",
        "Passwords are off",
        "Sign in through the issuer, or set ROWLIFT_LOCAL_LOGIN=on.",
    ),
    Rule(
        "ISSUER_UNREACHABLE",
        "access",
        "The issuer of logins cannot be asked",
        "Check ROWLIFT_OIDC_ISSUER.",
    ),
    Rule("SIGNED_OUT", "access", "Nobody is signed in", "Sign in, or send a valid API token."),
    Rule(
        "RIGHT_MISSING",
        "access",
        "The role or the token does not allow this",
        "Ask an admin for the right, or use another token.",
    ),
    Rule(
        "SETUP_CLOSED",
        "access",
        "The first admin is there already",
        "Sign in; an admin adds the others.",
    ),
    Rule(
        "SETUP_CODE_WRONG",
        "access",
        "The one-time code is wrong or was replaced",
        "Use the code that rowlift serve printed last.",
    ),
    Rule(
        "INVITATION_WRONG",
        "access",
        "The invitation is wrong, used or over",
        "Ask an admin for a new one.",
    ),
    Rule(
        "PASSWORD_WEAK",
        "access",
        "The password is too easy to guess",
        "Use 12 to 128 characters that are not your address.",
    ),
    Rule("USER_EXISTS", "access", "There is a user of that address", "Change their role instead."),
    Rule(
        "LAST_ADMIN",
        "access",
        "The last admin cannot go",
        "Make somebody else an admin first.",
    ),
    Rule(
        "TOKEN_WRONG",
        "access",
        "The API token is unknown, expired or revoked",
        "Make a new one.",
    ),
)

const SECRET_WORDS = /(^|[,\s])((?:pass|passwd|password2?|secret|key|token)=)(?:"[^"]*"|[^,\s]*)/gi;
const USER_IN_ADDRESS = /(\/\/[^/:@\s]*:)[^/@\s]*@/g;

/** Mount options or a device as they may be shown: passwords masked. */
export function maskSecrets(text: string): string {
  return text.replace(SECRET_WORDS, '$1$2****').replace(USER_IN_ADDRESS, '$1****@');
}

/** A text as a terminal may show it, in one line: names, arguments and files come from anybody. */
export const plain = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ');

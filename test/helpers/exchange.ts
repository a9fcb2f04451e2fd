import { type IncomingHttpHeaders, request } from 'node:http';

export interface Exchange {
  readonly method?: string;
  /** A list sends the header several times. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Sends a request with exactly the given headers, which `fetch` does not allow, and reads the whole response. */
export function exchange(
  url: string,
  { method = 'GET', headers = {}, body }: Exchange,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    for (const [name, value] of Object.entries(headers)) outgoing.setHeader(name, value);
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

/** The codes of the errors in a GraphQL response; throws if the body is not one. */
export function errorsOf(text: string): { message: string; extensions: { code: string } }[] {
  // Unchecked here: tests assert the shape of the errors.
  return (JSON.parse(text) as { errors: { message: string; extensions: { code: string } }[] }).errors;
}

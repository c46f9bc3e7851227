/** The state that an app has answered, with the name under which the app may still have it. As JSON it is the state itself. */
export class RemoteState {
  readonly value: unknown;
  readonly tag: string;

  constructor(value: unknown, tag: string) {
    this.value = value;
    this.tag = tag;
  }

  toJSON(): unknown {
    return this.value;
  }
}
